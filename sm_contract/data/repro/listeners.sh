# who listens in the container, read on the engine's own machine
unhealthy() {
    pid=$(about '{{.State.Pid}}')
    cat "/proc/$pid/net/tcp" "/proc/$pid/net/tcp6" 2>"$work/said" | while read -r _ at _ state _; do
        [ "$state" = 0A ] || continue
        case ${at%:*} in
            00000000) place=0.0.0.0 ;;
            0100007F) place=127.0.0.1 ;;
            0B00007F) continue ;; # the engine's own resolver
            00000000000000000000000000000000) place=:: ;;
            00000000000000000000000001000000) place=::1 ;;
            *) place=${at%:*} ;;
        esac
        see "listens on $place, port $(printf %d "0x${at##*:}")"
    done
}
