# the biggest child of the program is killed, as the kernel does where memory runs out; needs root beside the engine
interfere() {
    first=$(about '{{.State.Pid}}')
    sleep "$AFTER"
    child=
    while [ -z "$child" ] && alive && [ $(($(now) - began)) -lt "$TRAIN" ]; do
        docker top "$name" -o pid,rss,args >"$work/processes"
        child=$(awk -v first="$first" 'NR > 1 && $1 != first && $2 > most { most = $2; pid = $1 } END { print pid }' \
            "$work/processes")
    done
    cat "$work/processes"
    [ -z "$child" ] || { say "killing $child"; kill -KILL "$child"; }
}
