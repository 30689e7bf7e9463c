# --- odd requests: no pings beside them, one afterwards
beside=:

# padded BODY SIZE BYTE: the body with that byte behind it, so many bytes in all
padded() {
    { cat "$1" && head -c "$2" /dev/zero | tr '\0' "$3"; } | head -c "$2" >"$work/padded"
}

# together BODY HEADERS…: each by itself, then all at the same time, several times over
together() {
    result='each its own answer'
    for round in alone 1 2 3 4 5 6; do
        left=$#
        senders=
        while [ "$left" -gt 0 ]; do
            reach --max-time "$INVOKE" --header "@$2" --data-binary "@$1" --output "$work/$round-$left" \
                "$address/invocations" &
            senders="$senders $!"
            [ $round != alone ] || wait $!
            set -- "$@" "$1" "$2"
            shift 2
            left=$((left - 2))
        done
        for sender in $senders; do wait "$sender"; done
        left=$#
        while [ "$left" -gt 0 ]; do
            cmp -s "$work/alone-$left" "$work/$round-$left" || result='mixed up'
            left=$((left - 2))
        done
    done
    see "POST /invocations, different ones at a time: $result"
}

afterwards() {
    sleep 1
    ! alive || { ping && see "ping afterwards: $outcome"; }
}
