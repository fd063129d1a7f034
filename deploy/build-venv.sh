# shellcheck shell=bash
# Debian packages, and a venv with the compiled package in it: what deploy/quickstart and tests/run share.
# Sourced, never run; the caller sets -euo pipefail. What is there already is left alone, so a second call
# takes no network and next to no time. A step that fails ends the caller with one line that names the mend.

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
log=$checkout/.install.log
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin # a plain `su` leaves these out
umask 022

packages=(
    gcc libc6-dev python3-dev python3-venv libnetfilter-queue-dev libnfnetlink-dev # to build
    iproute2 iptables nftables                                                     # to run
    curl iputils-ping traceroute util-linux                                        # to try it out
)

say() { printf '%s\n' "· $*"; }

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

need_root() {
    ((EUID == 0)) || fail "root is needed for netfilter and network namespaces: sudo $0${*:+ $*}"
}

# first_error: the line of the log that best says why a step failed.
first_error() {
    local telling='^ *E: |[Ee]rror: |^ *[^ ]+\.p[yx][xd]:[0-9]+'
    sed -nE "/subprocess-exited/d; /$telling/{s/^ *//; p; q}" "$log" | grep . || tail -n 1 "$log"
}

# step SAYING MEND COMMAND…: run a command with its output in the log.
step() {
    local saying=$1 mend=$2
    shift 2
    say "$saying"
    "$@" >"$log" 2>&1 </dev/null ||
        fail "$saying failed: $(first_error) — $mend, then run this again (whole output: $log)"
    rm -f "$log"
}

# need_packages [NAME…]: have apt-get install what is missing of our Debian packages and of these.
need_packages() {
    local name missing=() installed
    set -- "${packages[@]}" "$@"
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 -o Acquire::Retries=2)
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        fail "apt-get is missing, so this is no Debian: install what Debian calls $* by hand," \
            "then run this again with --skip-packages"
    fi
    # shellcheck disable=SC2016 # dpkg-query fills these in
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
    for name; do
        [[ $'\n'$installed$'\n' == *$'\n'"installed $name"$'\n'* ]] || missing+=("$name")
    done
    ((${#missing[@]})) || return 0
    step "reading the package lists" "check the network and the apt sources" "${apt[@]}" update
    step "installing ${missing[*]}" "check the network and the apt sources" \
        "${apt[@]}" install -y --no-install-recommends "${missing[@]}"
}

# find_python: print the system's Python if it is new enough, else the first one in PATH if that is.
find_python() {
    local candidate
    for candidate in /usr/bin/python3 "$(command -v python3)"; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    fail "Python 3.11 or later is needed: use Debian 12 or later, or put a newer python3 first in PATH"
}

# build_requirements: print what the build asks for in pyproject.toml, a line each.
build_requirements() {
    "$1" -c 'import tomllib, sys
print(*tomllib.load(open(sys.argv[1], "rb"))["build-system"]["requires"], sep="\n")' "$checkout/pyproject.toml"
}

# fingerprint KIND: one checksum of all that an installation of this kind depends on.
fingerprint() {
    local place=$checkout package=(-name '*.py[xi]' -o -name '*.pxd')
    [[ $1 != service ]] || place='' package=(-not -name '*.so' -not -name '*.c' -not -name '*.pyc')
    (
        cd "$checkout" || exit
        echo "$place"
        find pyproject.toml setup.py deploy/build-venv.sh nfmasq -type f \
            \( -path 'nfmasq/*' -a \( "${package[@]}" \) -o -not -path 'nfmasq/*' \) -print0 |
            sort -z | xargs -0 sha256sum
    ) | sha256sum
}

# install_copy PIP…: install the package from a clean copy, so that nothing of an older build slips in.
install_copy() {
    local copy=$checkout/build/copy
    rm -rf "$copy" && mkdir -p "$copy"
    tar -C "$checkout" --exclude='*.so' --exclude='*.c' --exclude=__pycache__ \
        -cf - pyproject.toml setup.py README.md LICENSE nfmasq | tar -C "$copy" -xf -
    "$@" --upgrade "$copy" || return
    rm -r "$copy"
}

# build_venv VENV KIND: have a venv with nfmasq compiled and installed in it. KIND is what it is for:
#   run      the tree itself, so that edits show at once
#   test     that, and what tests and linters need
#   service  a copy that no longer needs the tree
build_venv() {
    local venv=$1 kind=$2 python requirement requirements install now wheels=()
    local pip=("$venv/bin/python" -m pip --disable-pip-version-check --no-input install --retries 2)
    local no_pypi="check the network, or the index and proxy that pip is set to"
    local no_build="$no_pypi, and that a C compiler and the headers of Python and libnetfilter_queue are there"
    local unisolated=("${pip[@]}" --no-build-isolation)
    case $kind in
        run) install=("${unisolated[@]}" -e "$checkout") ;;
        test) install=("${unisolated[@]}" -e "${checkout}[test,lint]") ;;
        service) install=(install_copy "${unisolated[@]}") ;;
    esac
    now=$(fingerprint "$kind")
    if [[ $(cat "$venv/.built-for-$kind" 2>/dev/null) == "$now" ]] &&
        "$venv/bin/python" -I -c 'import nfmasq._fastpath' 2>/dev/null; then
        return
    fi
    if ! "$venv/bin/python" -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$(find_python)
        step "making $venv with $python" "install its venv module (python3-venv)" "$python" -m venv --clear "$venv"
    fi

    # NetfilterQueue's shipped C does not compile on Python 3.12 and later: Cython must be there before it
    # to write that C anew. The core needs its .pxd, so the build cannot be isolated either.
    requirements=$(build_requirements "$venv/bin/python")
    while read -r requirement; do
        [[ $requirement == NetfilterQueue* ]] || wheels+=("$requirement")
    done <<<"$requirements"
    step "fetching Cython and setuptools" "$no_pypi" "${pip[@]}" wheel "${wheels[@]}"
    step "building NetfilterQueue" "$no_build" env CYTHON_FORCE_REGEN=1 \
        "${unisolated[@]}" "$(grep '^NetfilterQueue' <<<"$requirements")"
    step "compiling nfmasq and fetching what it needs" "$no_build" "${install[@]}"
    printf '%s\n' "$now" >"$venv/.built-for-$kind"
}

# hand_back: give what root made in the tree to the tree's owner.
hand_back() { [[ -O $checkout ]] || find "$checkout" -xdev -user root -exec chown --no-dereference --reference="$checkout" {} +; }
