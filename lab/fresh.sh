#!/usr/bin/env bash
# Runs the README's commands on a bare Debian, with git and make and no more, in a directory that goes afterwards.
#   lab/fresh.sh RELEASE [COMMAND...]   "make demo" and "make test" unless others are named
# Exit status 75 when the Debian could not be made (no right to mount, no way to its packages): nothing was tried.
# Of the machine around it only the network, pip's and apt's settings, and what was downloaded before are used.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

cannot() {
    printf '%s\n' "$@" >&2
    exit 75
}

release=${1:-}
case $release in
    bookworm | trixie) ;;
    *) fail "Which Debian? Please type:  make fresh RELEASE=trixie   (or bookworm)" ;;
esac
shift
[ $# -gt 0 ] || set -- "make demo" "make test"
[ "$(id -u)" -eq 0 ] || fail "To make a system in a directory takes root. Please type:  sudo make fresh RELEASE=$release"
command -v debootstrap >/dev/null || cannot "debootstrap is missing. Please type:  apt-get install debootstrap"

downloads=$PWD/.lab/downloads
mkdir -p "$downloads/apt-$release" "$downloads/packages-$release" "$downloads/python"
root=$(mktemp -d /var/tmp/emq-elb-fresh.XXXXXX)

# Whatever runs in there is ended, and only then it is unmounted and removed.
clean_up() {
    trap '' HUP INT TERM
    local process
    for process in /proc/[0-9]*; do
        if [[ $(readlink "$process/root" 2>/dev/null) == "$root"* ]]; then kill -KILL "${process#/proc/}" 2>/dev/null || true; fi
    done
    local mounted
    while mounted=$(awk -v at="$root/" 'index($2, at) == 1 { print $2 }' /proc/mounts | tac) && [ -n "$mounted" ]; do
        while read -r place; do umount "$place" 2>/dev/null || umount --lazy "$place"; done <<<"$mounted"
    done
    rm -rf --one-file-system "$root"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

bind() {
    mkdir -p "$root$2"
    mount --bind "$1" "$root$2"
}

echo "Making a bare Debian $release in $root ..." >&2
debootstrap --variant=minbase --include=ca-certificates,git,make --cache-dir="$downloads/packages-$release" \
    "$release" "$root" >"$downloads/debootstrap-$release.log" 2>&1 \
    || { tail -n 5 "$downloads/debootstrap-$release.log" >&2; cannot "debootstrap failed; its last words are above."; }
mount -t proc proc "$root/proc" || cannot "This machine does not let root mount."
mount -t sysfs -o ro sysfs "$root/sys"
mount -t devtmpfs devtmpfs "$root/dev"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
bind "$downloads/apt-$release" /var/cache/apt/archives
bind "$downloads/python" /root/.cache
rm -f "$root/etc/apt/apt.conf.d/docker-clean"

# How registries are reached: their addresses, proxies, and the directories and certificates that pip is to use.
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
for file in /etc/pip.conf /etc/xdg/pip/*; do
    if [ -f "$file" ]; then install -D -m 644 "$file" "$root$file"; fi
done
grep -hE '^ *Acquire::' /etc/apt/apt.conf.d/* 2>/dev/null >"$root/etc/apt/apt.conf.d/99registries" || true
while read -r place; do
    if [ -d "$place" ] && [ "$place" != / ]; then
        bind "$place" "$place"
        mount -o remount,bind,ro "$root$place"
    fi
done < <({ grep -hoE '(file://)?/[^ ,]+' /etc/pip.conf /etc/xdg/pip/* 2>/dev/null || true; \
    echo "${PIP_FIND_LINKS:-}" | tr ' ' '\n'; } | sed 's|^file://||' | sort -u)
if [ -f /etc/ssl/certs/ca-certificates.crt ]; then
    install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
fi
settings=()
while IFS= read -r line; do settings+=("$line"); done \
    < <(env | grep -iE '^(https?_proxy|no_proxy|PIP_[A-Z_]+|SSL_CERT_FILE|UV_[A-Z_]+)=' || true)

inside() {
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        TERM="${TERM:-dumb}" "${settings[@]}" chroot "$root" bash -c "cd /root && $1"
}

git clone --quiet --bare --no-hardlinks . "$root/root/emq-elb.git"
inside "git clone --quiet emq-elb.git emq-elb && cd emq-elb && git log --oneline -1"
for command in "$@"; do
    echo "Debian $release: $command" >&2
    inside "cd emq-elb && $command"
done
echo "Debian $release: all of it passed." >&2
