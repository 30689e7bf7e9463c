# SIGTERM for each process but the first: whether a signal that gets through ends it; needs root beside the engine
outlived() {
    first=$(about '{{.State.Pid}}')
    for process in $(docker top "$name" -o pid | awk -v first="$first" 'NR > 1 && $1 != first'); do
        kill -TERM "$process"
    done
    told=$(now)
    while alive && [ $(($(now) - told)) -lt 5 ]; do sleep 0.2; done
    if alive; then
        see "outlived it again when all its processes were told"
    else
        see "ended when all its processes were told"
    fi
}
