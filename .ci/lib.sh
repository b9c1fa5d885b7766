# What `run` and `deep` share. Sourced, from the root of the repository.
# shellcheck shell=bash

# The versions that are installed where the tool is missing or another version.
readonly CARGO_FUZZ=0.13.2 CARGO_HACK=0.6.46

# Warnings that must be errors are told so below: flags from outside would only rebuild everything.
unset RUSTFLAGS RUSTDOCFLAGS CARGO_ENCODED_RUSTFLAGS
export CI=true CARGO_TERM_PROGRESS_WHEN=never DEBIAN_FRONTEND=noninteractive
# All is built once, from nothing; of debug information backtraces need the lines alone.
export CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=line-tables-only
exec </dev/null

# A folder per set of compiler flags, below the one where everything else is built.
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
readonly target

# The status of a program that can show nothing on this machine.
readonly SKIPPED=77

done_steps=()
skipped=0
current=

# step NAME COMMAND…: runs a command; the first that fails ends the script.
step() {
    begin_step "$1"
    "${@:2}"
    end_step
}

# step_or_skip NAME PROGRAM [ARGUMENT…]: a step that may be skipped. No function: what fails in it would not end it.
step_or_skip() {
    local status=0
    begin_step "$1"
    "${@:2}" || status=$?
    case $status in
        0) end_step ;;
        "$SKIPPED")
            end_step ': skipped'
            skipped=$((skipped + 1))
            ;;
        *) return "$status" ;;
    esac
}

begin_step() {
    current=$1 started=$SECONDS
    printf '\n=== %s\n' "$current"
}

# end_step [REMARK]
end_step() {
    done_steps+=("$(printf '%5d s  %s' $((SECONDS - started)) "$current${1:-}")")
    current=
}

# The table at the end, for the trap on EXIT.
report() {
    local status=$? failed=0
    printf '\n=== steps\n'
    [[ ${#done_steps[@]} -eq 0 ]] || printf '%s\n' "${done_steps[@]}"
    printf '%5d s  in all\n' "$SECONDS"
    if [[ $status -ne 0 ]]; then
        failed=1
        printf 'FAILED: %s (status %d)\n' "${current:-outside a step}" "$status"
    fi
    printf '%d passed, %d failed, %d skipped\n' $((${#done_steps[@]} - skipped)) "$failed" "$skipped"
}

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# apt_install PACKAGE…: installs those that are missing.
apt_install() {
    local package missing=() as_root=()
    for package in "$@"; do
        dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null |
            grep -q 'install ok installed' || missing+=("$package")
    done
    [[ ${#missing[@]} -gt 0 ]] || return 0
    [[ $EUID -eq 0 ]] || as_root=(sudo --preserve-env=DEBIAN_FRONTEND)
    # A fresh machine may be at its own updates.
    local apt=("${as_root[@]}" apt-get --quiet --quiet -o DPkg::Lock::Timeout=600 -o Acquire::Retries=5)
    "${apt[@]}" update
    "${apt[@]}" install --yes --no-install-recommends "${missing[@]}"
}

# Debian's compiler has the source of the standard library, for targets that come without one:
# debian_compiler [PACKAGE…] installs it, with what else is needed; debian_cargo runs its cargo.
debian_compiler() {
    apt_install rustc-web rust-web-src cargo-web "$@"
}

debian_cargo() {
    RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 /usr/bin/cargo "$@"
}

# cargo_install CRATE VERSION: installs its program unless it is there in this version.
cargo_install() {
    local command
    read -ra command <<<"${1/#cargo-/cargo }"
    if [[ $("${command[@]}" --version 2>/dev/null) != "$1 $2" ]]; then
        CARGO_TARGET_DIR=$target/ci/tools cargo install --quiet --locked "$1@$2"
    fi
}

tools() {
    apt_install build-essential procps
    rustup toolchain list | grep -q '^nightly' || rustup toolchain install --profile minimal nightly
    rustup component add clippy rustfmt
    cargo_install cargo-fuzz "$CARGO_FUZZ"
    cargo_install cargo-hack "$CARGO_HACK"
    rustc --version
    rustc +nightly --version
}

# readme_command START: the command in README.md that starts so, in the array `command`.
readme_command() {
    local line
    line=$(grep -oE -m 1 "$1( [A-Za-z0-9_-]+)*" README.md | head -n 1) ||
        fail "README.md has no command that starts with \`$1\`"
    read -ra command <<<"$line"
    printf '$ %s\n' "$line"
}
