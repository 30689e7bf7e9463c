# --- everything made here has this name, and is removed in the end
work=$(mktemp -d) || exit 1
name=sm-by-hand-${work##*[!A-Za-z0-9]}
volumes=

clean() {
    docker rm --force --volumes "$name" "$name-door"
    for volume in $volumes; do docker volume rm "$volume"; done
    docker network rm "$name"
    rm -rf "$work"
}
trap 'clean >"$work/said" 2>&1' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# shellcheck disable=SC2086  # it may be more than a word
docker() { command ${DOCKER:-docker} "$@"; }
say() { printf '%s\n' "$*"; }
see() { printf 'seen: %s\n' "$*"; }
say "makes $name"
quietly() { "$@" >"$work/said" 2>&1 || { cat "$work/said" >&2; exit 1; }; }
