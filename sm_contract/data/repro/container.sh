# --- a container and its volumes
failed= # to be made at all
owned=  # --archive, where files do not belong to root

volume() {
    volumes="$volumes $name-$1"
    quietly docker volume create "$name-$1"
    stage=$work/$1/sm-by-hand
    mkdir -p "$stage"
}

# fill VOLUME [SOURCE PLACE]: copies $stage, or SOURCE, into a volume through a container that is never started
fill() {
    quietly docker create --name "$name-door" --network none --entrypoint - \
        --mount "type=volume,source=$name-$1,target=/sm-by-hand,volume-nocopy" "$IMAGE" -
    # shellcheck disable=SC2086  # it may be nothing
    quietly docker cp $owned "${2:-$stage}" "$name-door:${3:-/}"
    quietly docker rm "$name-door"
}

start() {
    if [ -n "$failed" ] || ! docker start "$name" >"$work/said"; then
        see "not started"
        exit 0
    fi
    docker wait "$name" >"$work/exit" 2>&1 &
}
about() { docker inspect --format "$1" "$name"; }
alive() { [ ! -s "$work/exit" ]; }
now() { date +%s; }

# what a person would look at in the end
log() {
    say "the end of the log:"
    docker logs --tail 20 "$name" 2>&1 | sed 's/^/    /'
}
