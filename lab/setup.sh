#!/usr/bin/env bash
# Installs what the lab needs, and only that, and only when it is missing.
#   lab/setup.sh DIRECTORY   the Python packages, into a virtual environment in DIRECTORY
#   lab/setup.sh --packages  Debian's haproxy, mosquitto, mosquitto-clients, and what is named after it
set -euo pipefail
cd "$(dirname "$0")/.."

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Debian starts haproxy and mosquitto as services when they are installed. The lab starts its own, on its own
# addresses, so they are told not to (https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt).
install_packages() {
    if ! command -v apt-get >/dev/null || ! as_root true 2>/dev/null; then
        echo "These packages are missing and cannot be installed from here: $*" >&2
        echo "Please type:  sudo apt-get install --no-install-recommends $*" >&2
        exit 1
    fi
    echo "Installing $* ..." >&2
    local policy=/usr/sbin/policy-rc.d ours=false
    if [ ! -e "$policy" ]; then
        ours=true
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod +x "$policy"
    fi
    local status=0
    { as_root apt-get update -qq \
        && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } \
        >/dev/null || status=$?
    if $ours; then as_root rm -f "$policy"; fi
    return "$status"
}

if [ "${1:-}" = --packages ]; then
    missing=()
    # Debian keeps servers in /usr/sbin, which is not on everyone's PATH.
    PATH="$PATH:/usr/sbin:/usr/local/sbin"
    command -v haproxy >/dev/null || missing+=(haproxy)
    command -v mosquitto >/dev/null || missing+=(mosquitto)
    command -v mosquitto_pub >/dev/null || missing+=(mosquitto-clients)
    for package in "${@:2}"; do
        case $package in
            libatomic1) [[ $(ldconfig -p) == *libatomic.so.1* ]] || missing+=("$package") ;;
            *) command -v "$package" >/dev/null || missing+=("$package") ;;  # a command of its own name
        esac
    done
    [ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
    exit 0
fi

venv=${1:?a directory for the virtual environment}
python=${PYTHON:-python3}
if [ -x "$venv/bin/python" ]; then python=$venv/bin/python; fi  # what is there decides, not what would make it
if ! command -v "$python" >/dev/null; then install_packages python3 python3-venv; fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "emq-elb needs Python 3.11 or newer; $python is $("$python" --version)." >&2
    echo "Name another one:  make PYTHON=/path/to/python3.12 ..." >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip' 2>/dev/null; then install_packages python3-venv; fi
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
echo "Installing the Python packages into $venv ..." >&2
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
# What `chalice package` would fetch, kept here so that the tests of the package need no network: the wheels for
# this machine, which it resolves first, and those for Lambda's older C library.
for platform in "" "--platform=manylinux2014_x86_64 --platform=manylinux_2_28_x86_64"; do
    # shellcheck disable=SC2086  # two options in one word
    "$venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: $platform \
        --dest "$venv/wheels" -r requirements.txt
done
# The botocore of Lambda's older Python runtimes: the tests send every call with it too.
"$venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --dest "$venv/old" botocore==1.34.145
