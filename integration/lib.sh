# Shared by the scripts beside it. Sourced by bash, from the root of the repository.

# Debian keeps chronyd and ip where ordinary users do not look.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
target=${CARGO_TARGET_DIR:-target}

die() {
    printf '%s\n' "$*" >&2
    exit 69
}

have() {
    command -v "$1" >/dev/null 2>&1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# install_missing COMMAND:PACKAGE...: installs the packages of the commands that are not there, and says so.
install_missing() {
    local pair missing=()
    for pair in "$@"; do
        have "${pair%%:*}" || missing+=("${pair#*:}")
    done
    [ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
}

install_packages() {
    have apt-get || die "missing: $*; please install"
    echo "installing $*"
    as_root apt-get update -qq &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null
}

# install_component COMMAND:COMPONENT...: the same for parts of the Rust toolchain.
install_component() {
    local pair
    for pair in "$@"; do
        have "${pair%%:*}" && "${pair%%:*}" --version >/dev/null 2>&1 && continue
        have rustup || die "missing: ${pair#*:}; please install it with the toolchain"
        echo "installing ${pair#*:}"
        rustup --quiet component add "${pair#*:}"
    done
}

need_rust() {
    [ ! -d "$HOME/.cargo/bin" ] || PATH=$HOME/.cargo/bin:$PATH
    have cargo || die "missing: cargo; please install Rust"
}

# What the packages contain. Cargo builds what it is told together with one set of features. The
# tools are built apart, because with theirs tokio would open more descriptors in the daemon.
build_release() {
    cargo build --locked --release -p clockbound -p clockbound-c &&
        cargo build --locked --release -p clockboundctl -p clockbound-exporter
}

# install_tool NAME [OPTION...]: a cargo command, into the target directory; unoptimised, since
# compiling it is most of what it costs.
install_tool() (
    mkdir -p "$target/tools"
    exec 9>"$target/tools/$1.lock"
    flock 9
    [ ! -x "$target/tools/bin/$1" ] || exit 0
    export CARGO_TARGET_DIR=$target/tools/build CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off
    export CARGO_PROFILE_RELEASE_DEBUG=0 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
    cargo install --locked --quiet --root "$target/tools" "$@" 9>&- && rm -rf "$target/tools/build"
)
