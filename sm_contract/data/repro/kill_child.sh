# the biggest child of the program is killed, as the kernel does where memory runs out; needs root beside the engine
interfere() {
    sleep "$AFTER"
    first=$(about '{{.State.Pid}}')
    docker top "$name" -o pid,rss,args >"$work/processes"
    child=$(awk -v first="$first" 'NR > 1 && $1 != first && $2 > most { most = $2; pid = $1 } END { print pid }' "$work/processes")
    say "killing process ${child:-(there is none)} of"
    cat "$work/processes"
    kill -KILL "$child"
}
