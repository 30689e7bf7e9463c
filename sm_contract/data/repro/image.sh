# --- the files of an image, through a container that is never started
list() {
    quietly docker create --name "$name" --network none --entrypoint - "$IMAGE" -
    docker export "$name" | tar -tvf - >"$work/files"
}

# file PATH: its line in the list
file() {
    line=$(at=" ${1#/}" awk '{
        place = index($0, ENVIRON["at"])
        rest = substr($0, place + length(ENVIRON["at"]))
    }
    place && (rest == "" || rest == "/" || rest ~ /^ (->|link to) /)' "$work/files")
    say "$line"
    if [ -n "$line" ]; then see "$1 ${line%% *}"; else see "no $1"; fi
}

# first_line PATH
first_line() {
    docker cp --follow-link "$name:$1" - | tar -xOf - | head -n 1 | head -c 120 | tr -cd '\11\40-\176'
    say
}

# machine PATH: for what processor a binary is
machine() {
    case $(docker cp --follow-link "$name:$1" - | tar -xOf - | od -An -tx1 -j18 -N2 | tr -d ' ') in
        3e00) see "$1 is for amd64" ;;
        b700) see "$1 is for arm64" ;;
        *) see "$1 is for another processor" ;;
    esac
}

# account NAME FILE: whether a file of accounts has that name
account() {
    if docker cp --follow-link "$name:$2" - | tar -xOf - | cut -d : -f 1 | grep -qxF -e "$1"; then
        see "$2 has $1"
    else
        see "$2 has no $1"
    fi
}
