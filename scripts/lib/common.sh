# shellcheck shell=bash
# What every script here needs: messages, free ports, and the things of the machine that a build needs.
# Nothing about Bursar's own processes lives here.

say() { printf '%s\n' "$*"; }

fail() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# Usage text = the comment at the top of the calling script.
usage() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"; }

has() { command -v "$1" >/dev/null 2>&1; }

# The folder of PostgreSQL's server programs, the newest version first; fails when there is none.
postgres_programs() {
    local folder
    for folder in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -t/ -k5,5Vr); do
        if [[ -x $folder/initdb && -x $folder/postgres ]]; then
            say "$folder"
            return
        fi
    done
    has initdb && dirname "$(readlink -f "$(command -v initdb)")"
}

# A Python that can read YAML: the one on the PATH may be somebody's own without it.
python_with_yaml() {
    local python
    for python in python3 /usr/bin/python3; do
        if has "$python" && "$python" -c 'import yaml' 2>/dev/null; then
            say "$python"
            return
        fi
    done
    return 1
}

# Below the range from which the kernel takes ports for outgoing connections.
free_port() {
    local port
    for _ in {1..100}; do
        port=$((20000 + (RANDOM << 4 | RANDOM & 15) % 12000))
        if ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            say "$port"
            return
        fi
    done
    fail "no free port found on 127.0.0.1 between 20000 and 32000"
}

as_root() {
    if [[ $EUID -eq 0 ]]; then
        "$@"
    elif has sudo; then
        sudo "$@"
    else
        fail "this needs root, and there is no sudo. Run it as root once: $*"
    fi
}

# install_missing run|test|bench|kafka: Debian packages that are not there yet; touches nothing when all are.
# Kafka's broker is for tests and development; "run" needs none.
install_missing() {
    local missing=()
    [[ -e /etc/ssl/certs/ca-certificates.crt ]] || missing+=(ca-certificates)
    if [[ $1 != kafka ]]; then
        # librdkafka is C and C++, and is built with the rest.
        has cc && has c++ && has make || missing+=(build-essential)
        postgres_programs >/dev/null || missing+=(postgresql)
    fi
    if [[ $1 != run ]]; then
        has java || missing+=(default-jre-headless)
        has mvn || missing+=(maven)
    fi
    if [[ $1 == test ]]; then
        python_with_yaml >/dev/null || missing+=(python3 python3-yaml)
    fi
    if [[ $1 == bench ]]; then
        has wrk || missing+=(wrk)
    fi
    [[ ${#missing[@]} -gt 0 ]] || return 0

    has apt-get || fail "please install these first (their Debian names): ${missing[*]}"
    say "Installing ${missing[*]}"
    # Debian would create and start a cluster of its own; this one file, for this one installation, prevents it.
    local no_main_cluster=/etc/postgresql-common/createcluster.d/bursar.conf status=0
    # A new machine may be busy installing its own updates: wait for the lock.
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600)
    as_root mkdir -p "$(dirname "$no_main_cluster")"
    as_root sh -c "echo 'create_main_cluster = false' > $no_main_cluster"
    {
        as_root "${apt[@]}" update && as_root "${apt[@]}" install -y --no-install-recommends "${missing[@]}"
    } </dev/null || status=$?
    as_root rm -f "$no_main_cluster"
    [[ $status -eq 0 ]] || fail "apt-get could not install ${missing[*]} (its messages are above)"
}

find_rust() {
    has cargo || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    has cargo || fail "Rust is not installed. See https://rustup.rs, then run this again."
}

# need_cargo_command fmt|clippy
need_cargo_command() {
    local component=${1/#fmt/rustfmt}
    ! cargo "$1" --version >/dev/null 2>&1 || return 0
    has rustup || fail "cargo has no $component, and there is no rustup to add it. Please install it."
    rustup component add "$component"
}
