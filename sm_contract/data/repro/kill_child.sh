# the biggest child of the program is killed, as the kernel does where memory runs out; needs root beside the engine
interfere() {
    first=$(about '{{.State.Pid}}')
    sleep "$AFTER"
    docker top "$name" -o pid,rss,args >"$work/processes"
    cat "$work/processes"
    child=$(awk -v first="$first" 'NR > 1 && $1 != first && $2 > most { most = $2; pid = $1 } END { print pid }' "$work/processes")
    if [ -n "$child" ]; then
        say "killing $child"
        kill -KILL "$child"
    fi
}
