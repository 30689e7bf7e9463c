# stopped in mid-run, as StopTrainingJob does it: SIGTERM, and SIGKILL once the time is over
interfere() {
    sleep "$AFTER"
    if alive; then
        ended="ended after SIGTERM"
        outlived="outlived SIGTERM"
        quietly docker kill --signal TERM "$name"
    fi
}
