# --- the image comes from an archive, and goes again if it was not there before
loaded=
if ! docker image inspect "$IMAGE" >"$work/said" 2>&1; then
    archive | docker load --quiet
    loaded=$IMAGE
    if ! docker image inspect "$IMAGE" >"$work/said" 2>&1; then
        say "this engine has not loaded it as $IMAGE; load it yourself and name it: sh show.sh NAME" >&2
        exit 1
    fi
fi
