# --- requests, with no header that the platform does not send
patience=$(awk "BEGIN { print 5 * $PING }")

over() { awk "BEGIN { exit !($1 > $2) }"; }

# reach ARGUMENT…: one request by curl; sets $outcome to the status or to what went wrong, and the seconds it took
reach() {
    answer=$($enter curl --silent --noproxy '*' --header "Host: ${asked_host:-model.aws.local:8080}" --header 'User-Agent:' \
        --header 'Accept:' --header 'Expect:' --write-out '%{http_code} %{time_total} %{time_connect}' "$@")
    code=$?
    read -r outcome took connected <<END
$answer
END
    case $code in
        0) if over "$connected" 0.25; then outcome="$outcome late to connect"; fi ;;
        1 | 8) outcome='not HTTP' ;;
        7) outcome='refused' ;;
        18) outcome='broken off' ;;
        28) outcome='timed out' ;;
        52) outcome='closed' ;;
        56) outcome='reset' ;;
        *) outcome="curl's error $code" ;;
    esac
}

ping() {
    reach --max-time "$patience" --output /dev/null "$address/ping"
    if [ $code -eq 0 ] && over "$took" "$PING"; then outcome="${outcome%% *} late"; fi
}

keep_pinging() {
    while [ ! -e "$work/enough" ] && alive; do
        ping
        say "$outcome" >>"$work/pings"
        sleep 0.2
    done
}

# tell WHAT OUTCOMES: each kind of outcome in a file, and how often it is there
tell() {
    see "$1: $(sort -u "$2" | paste -s -d + - | sed 's/+/ + /g')"
    sort "$2" | uniq -c
}

# invoke WHAT BODY HEADERS
invoke() {
    reach --max-time "$INVOKE" --header "@$3" --data-binary "@$2" \
        --dump-header "$work/head" --output "$work/body" "$address/invocations"
    see "POST /invocations, $1: $outcome"
    say "    after $took s"
    [ $code -eq 0 ] || return
    awk '{ sub("\r$", ""); if ($0) printf "    %s%s\n", substr($0, 1, 120), length > 120 ? "... (" length " characters)" : "" }' "$work/head"
    [ ! -s "$work/body" ] || { head -c 300 "$work/body" | sed 's/^/    | /'; say; }
}

# busy COUNT BODY HEADERS: so many at a time, for two seconds
busy() {
    senders=
    until=$(($(now) + 2))
    while [ "${count:=0}" -lt "$1" ]; do
        while [ "$(now)" -le $until ] && alive; do
            reach --max-time "$INVOKE" --header "@$3" --data-binary "@$2" --output /dev/null "$address/invocations"
            say "$outcome" >>"$work/busy"
        done &
        senders="$senders $!"
        count=$((count + 1))
    done
    for sender in $senders; do wait "$sender"; done
    tell "POST /invocations, several at a time" "$work/busy"
}

# until it was healthy for 5 s and pinged 20 times
live_on() {
    while alive && { [ "$(wc -l <"$work/pings")" -lt 20 ] || [ $(($(now) - healthy)) -lt 5 ]; }; do sleep 0.2; done
}

# --- its life
began=$(now)
start
reachable
row=0 since=0 healthy='' outcome='no answer'
while [ -z "$healthy" ] && [ $since -le 30 ] && [ $(($(now) - began)) -lt "$START" ] && alive; do
    ping
    row=$((row + 1))
    case $outcome in 200 | '200 late to connect') ;; *) row=0 ;; esac
    since=$((since + (since + row > 0)))
    [ $row -lt 3 ] || healthy=$(now)
    sleep 0.2
done
if [ -n "$healthy" ]; then
    see healthy
    say 200 >"$work/pings"
    "${beside:-keep_pinging}" &
    pinger=$!
    invocations
    : >"$work/enough"
    wait $pinger
    [ -n "${beside:-}" ] || tell "pings while healthy" "$work/pings"
else
    see "not healthy"
    if [ $since -gt 0 ]; then
        see "pings come and go"
    elif alive; then
        see "last ping: $outcome"
    fi
    unhealthy
fi
if alive; then
    docker kill --signal TERM "$name" >"$work/said"
    told=$(now)
    while alive && [ $(($(now) - told)) -lt "$STOP" ]; do sleep 0.2; done
    if alive; then
        see "outlived SIGTERM"
        outlived
        ! alive || quietly docker kill "$name"
        wait # for the exit code
    else
        see "ended after SIGTERM"
    fi
else
    see "ended by itself"
fi
see "exit code $(cat "$work/exit")"
log
