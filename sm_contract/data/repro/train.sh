# --- its life
began=$(now)
start
interfere
while alive && [ $(($(now) - began)) -lt "$TRAIN" ]; do sleep 0.2; done
if alive; then
    see "did not end by itself"
    docker top "$name"
    quietly docker kill "$name"
    wait # for the exit code
else
    see "ended by itself"
fi
see "exit code $(cat "$work/exit")"
log
for folder in model output; do
    docker cp "$name:/opt/ml/$folder/." - | tar -tf - | sed -n "s|^\./\(..*\)|seen: /opt/ml/$folder/\1|p"
done
