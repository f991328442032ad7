# Read by the scripts that build: need_cargo ends the script with a clear message unless what they need is there.

need_cargo() {
    # rustup puts cargo here, and a shell that was open before does not know.
    if ! command -v cargo >/dev/null && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
        PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
        export PATH
    fi
    if ! command -v cargo >/dev/null; then
        echo "Error: cargo is not installed; get Rust 1.95 or later from https://rustup.rs" >&2
        exit 1
    fi
    local version minor
    # In the tree, as its directory may have a toolchain of its own.
    version=$(cd "$home" && cargo --version)
    minor=${version#cargo 1.}
    minor=${minor%%.*}
    case $minor in
        '' | *[!0-9]*) ;; # Not a version as we know it: cargo itself says if it is too old.
        *)
            if [ "$minor" -lt 95 ]; then
                echo "Error: $version is too old; Rust 1.95 or later is needed (rustup update stable)" >&2
                exit 1
            fi
            ;;
    esac
    if ! command -v cc >/dev/null; then
        echo "Error: there is no C compiler, cc (on Debian: apt-get install gcc libc6-dev)" >&2
        exit 1
    fi
}
