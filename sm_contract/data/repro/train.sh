# --- its life
ended="ended by itself"
outlived="did not end by itself"
began=$(now)
start
interfere
while alive && [ $(($(now) - began)) -lt "$TRAIN" ]; do sleep 0.2; done
if alive; then
    see "$outlived"
    docker top "$name"
    quietly docker kill "$name"
    wait # for the exit code
else
    see "$ended"
fi
see "exit code $(cat "$work/exit")"
log
for folder in model output; do
    docker cp "$name:/opt/ml/$folder/." - | tar -tf - | sed -n "s|^\./\(..*\)|seen: /opt/ml/$folder/\1|p"
done
