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

# ask METHOD PATH HOST [BODY HEADERS]: another kind of request or another Host, and a ping behind it
ask() {
    about_host=
    [ "$3" = model.aws.local:8080 ] || about_host=" for Host $3"
    if [ $# -gt 3 ]; then
        result=$(other_host "$3" --max-time "$INVOKE" --header "@$5" --data-binary "@$4" "$address$2")
    elif [ "$1" = POST ]; then
        result=$(other_host "$3" --max-time 5 --header 'Content-Type:' --data-binary '' "$address$2")
    else
        result=$(other_host "$3" --max-time 5 "$address$2")
    fi
    ping
    in_time='not in time with 200'
    [ "$outcome" != 200 ] || in_time='in time'
    see "$1 $2$about_host: $result, the ping behind it $in_time"
}

other_host() {
    asked_host=$1
    shift
    reach --output /dev/null "$@"
    printf '%s' "$outcome"
}

# kill_biggest COMMAND: the biggest child, one of that command if there is any, as the kernel does where memory runs
# out; needs root beside the engine
kill_biggest() {
    first=$(about '{{.State.Pid}}')
    child=$(docker top "$name" -o pid,rss,args | wanted=$1 awk -v first="$first" '
        { args = $0; sub(/^[ \t]*[0-9]+[ \t]+[0-9]+[ \t]+/, "", args); sub(/[ \t]+$/, "", args) }
        NR > 1 && $1 != first {
            same = args == ENVIRON["wanted"]
            if (same > found || (same == found && $2 > most)) { found = same; most = $2; pid = $1 }
        }
        END { print pid }')
    [ -z "$child" ] || { see "killed the biggest child"; kill -KILL "$child"; }
    sleep 2
}

# zombies TEXT: said if there are more than ten children of the first process that it did not wait for; beside the engine
zombies() {
    first=$(about '{{.State.Pid}}')
    left=$(ps -A -o ppid= -o stat= | awk -v first="$first" '$1 == first && $2 ~ /^Z/ { left++ } END { print left + 0 }')
    [ "$left" -le 10 ] || see "$1"
}

afterwards() {
    sleep 1
    ! alive || { ping && see "ping afterwards: $outcome"; }
}
