#!/usr/bin/env bash
# Installs what the commands of the Makefile need, and only that, and only when it is missing.
#   lab/setup.sh VENV GROUP     the Python packages of requirements-GROUP.txt, into a virtual environment
#   lab/setup.sh --wheels VENV  what `chalice package` and the tests of the package take instead of the network
#   lab/setup.sh --packages     Debian's haproxy, mosquitto, mosquitto-clients, and what is named after it
#   lab/setup.sh --python [3.12]  prints the Python that it would make the virtual environment with
# PYTHON=/path/to/python3.12 chooses another Python.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

# What was begun and is not finished goes, however this script ends.
policy='' begun=''
clean_up() {
    trap '' HUP INT TERM
    if [ -n "$policy" ]; then as_root rm -f "$policy"; fi
    if [ -n "$begun" ]; then rm -rf "$begun"; fi
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Debian starts haproxy and mosquitto as services when they are installed. The lab starts its own, on its own
# addresses, so Debian is not to (https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt).
install_packages() {
    command -v apt-get >/dev/null || fail \
        "These programs are missing, and this machine has no apt-get to install them: $*" \
        "Please install them with this system's own package manager, then try again."
    as_root true 2>/dev/null || fail \
        "These packages are missing, and to install them takes root, or sudo without a password: $*" \
        "Please type:  sudo apt-get install --no-install-recommends $*"
    echo "Installing $* ..." >&2
    local file=${POLICY_RC_D:-/usr/sbin/policy-rc.d} mark='# emq-elb: for as long as apt-get installs the packages of the lab'
    if [ ! -e "$file" ] || grep -qxF "$mark" "$file"; then  # ours stays only where the script was killed
        policy=$file  # before it is there: a signal may come at any moment
        printf '#!/bin/sh\n%s\nexit 101\n' "$mark" | as_root tee "$file" >/dev/null
        as_root chmod +x "$file"
    fi
    local log
    log=$(mktemp)
    if ! { as_root apt-get update -qq \
        && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } \
        >"$log" 2>&1 </dev/null; then
        tail -n 5 "$log" >&2
        rm -f "$log"
        fail "apt-get could not install $*: its last words are above. Is there a network?"
    fi
    rm -f "$log"
    if [ -n "$policy" ]; then as_root rm -f "$policy"; policy=''; fi
}

# Whether a command is a Python that this program runs with. A version manager's stub answers with a failure.
is_good() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (4,))' >/dev/null 2>&1
}
makes_environments() {
    "$1" -c 'import ensurepip, ssl, venv' >/dev/null 2>&1
}

# Every Python that may be there, the recommended version first: by PATH, then where pyenv keeps them.
pythons() {
    local version
    for version in ${1:-3.13 3.12 3.11}; do
        type -ap "python$version" || true
        compgen -G "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version.*/bin/python$version" | sort -rV || true
    done
    if [ $# -eq 0 ]; then type -ap python3 || true; fi
}

find_python() {
    local python incomplete=''
    if [ -n "${PYTHON:-}" ]; then
        command -v "$PYTHON" >/dev/null || fail "PYTHON=$PYTHON: there is no such command."
        is_good "$PYTHON" || fail "PYTHON=$PYTHON does not answer as Python 3.11 or newer, which emq-elb needs."
        command -v "$PYTHON"
        return
    fi
    while read -r python; do
        is_good "$python" || continue
        if makes_environments "$python"; then echo "$python"; return; fi
        incomplete=${incomplete:-$python}  # Debian packs venv apart
    done < <(pythons "$@")
    echo "$incomplete"
}

make_environment() {
    local venv=$1 python
    if [ -e "$venv/bin/python" ] || [ -L "$venv/bin/python" ]; then
        is_good "$venv/bin/python" || fail \
            "$venv is of a Python that is gone or older than 3.11." "Please type:  make clean"
        if [ -n "${PYTHON:-}" ]; then
            local ours='import sys; print("%d.%d" % sys.version_info[:2])'
            [ "$("$venv/bin/python" -c "$ours")" = "$("$PYTHON" -c "$ours" 2>&1)" ] || fail \
                "$venv is of another Python than PYTHON=$PYTHON." "Please type:  make clean"
        fi
        return
    fi
    python=$(find_python)
    if [ -z "$python" ]; then
        install_packages python3 python3-venv
        python=$(find_python)
        [ -n "$python" ] || fail "emq-elb needs Python 3.11 or newer, and this system's is older." \
            "Please install one, then name it:  make PYTHON=/path/to/python3.13 ..."
    fi
    if ! makes_environments "$python"; then
        install_packages python3-venv
        makes_environments "$python" || fail "$python cannot make a virtual environment: it lacks ensurepip." \
            "Please name another Python:  make PYTHON=/path/to/python3.13 ..."
    fi
    echo "Making $venv with $("$python" --version) ..." >&2
    begun=$venv
    "$python" -m venv "$venv"
    begun=''
}

# pip warns of a directory that is not there, and uv ends.
existing() {
    local place found=()
    for place in $1; do
        if [[ $place == *://* || -e $place ]]; then found+=("$place"); fi
    done
    (IFS=,; echo "${found[*]}")
}

# uv reads none of pip's settings, so those that say where packages are had are handed to it.
pip_settings() {
    "$1" -m pip config list 2>/dev/null | while IFS='=' read -r name value; do
        value=${value#\'} value=${value%\'} value=${value//\\n/ }
        case $name in
            *.index-url) echo "UV_DEFAULT_INDEX=$value" ;;
            *.extra-index-url) echo "UV_INDEX=$value" ;;
            *.find-links) echo "UV_FIND_LINKS=$(existing "$value")" ;;
            *.constraint) echo "UV_CONSTRAINT=$value" ;;
            *.trusted-host) echo "UV_INSECURE_HOST=$value" ;;
            *.cert) echo "SSL_CERT_FILE=$value" ;;
        esac
    done
}

# uv takes a tenth of pip's time for so many packages; where it cannot be had, or fails, pip does it.
install_python_packages() {
    local python=$1/bin/python requirements=$2 settings
    echo "Installing the packages of $requirements into $1 ..." >&2
    mapfile -t settings < <(pip_settings "$python")
    if { "$python" -m uv --version || "$python" -m pip install -q --disable-pip-version-check uv; } \
        >/dev/null 2>&1 \
        && env UV_INDEX_STRATEGY=unsafe-best-match UV_NO_PROGRESS=1 "${settings[@]}" \
            "$python" -m uv pip install -q --python "$python" --compile-bytecode -r "$requirements" 2>/dev/null; then
        return
    fi
    "$python" -m pip install -q --disable-pip-version-check -r "$requirements" || fail \
        "The Python packages could not be installed: pip's own words are above." \
        "Is there a network? What is there already is kept: the next try goes on from here."
}

fetch() {
    local python=$1/bin/python to=$2
    shift 2
    "$python" -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: --dest "$to" "$@" \
        || fail "A wheel could not be fetched: pip's own words are above. Is there a network?"
}

case ${1:-} in
    --packages)
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
        ;;
    --python)
        python=$(find_python "${@:2}")
        [ -n "$python" ] || fail "There is no Python ${2:-of 3.11 or newer} here."
        echo "$python"
        ;;
    --wheels)
        venv=${2:?the virtual environment}
        # What `chalice package` would fetch, kept here so that the tests of the package need no network: the
        # wheels for this machine, which it resolves first, and those for Lambda's older C library.
        fetch "$venv" "$venv/wheels" -r requirements.txt
        fetch "$venv" "$venv/wheels" --platform=manylinux2014_x86_64 --platform=manylinux_2_28_x86_64 \
            -r requirements.txt
        # The botocore of Lambda's older Python runtimes: the tests send every call with it too.
        fetch "$venv" "$venv/old" botocore==1.34.145
        ;;
    *)
        venv=${1:?a directory for the virtual environment}
        group=${2:?demo, dev or bench}
        make_environment "$venv"
        install_python_packages "$venv" "requirements-$group.txt"
        # The command line `emq-elb`, as it stands in this checkout.
        "$venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation --editable . \
            || fail "The command line emq-elb could not be installed: pip's own words are above."
        ;;
esac
