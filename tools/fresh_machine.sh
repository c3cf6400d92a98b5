#!/usr/bin/env bash
# Tries Quakestream as somebody would who has a bare Debian and nothing else:
#
#     sudo tools/fresh_machine.sh [bookworm] [trixie] [--run-only]
#
# For each release: a minimal Debian in a temporary folder, a clone of HEAD in it, what the README says. It prints how long
# `make run` takes from a cold cache to the first earthquake and how much is on the disk then; then how `.ci/run` ends.
# Needs root, debootstrap, git and curl; ports 3001 and 3002 must be free. This machine's settings for packages (mirror,
# proxies, certificates, pip, npm, Maven) are passed in. Everything is gone at the end; output stays in build/fresh-machine.
set -euo pipefail
cd "$(dirname "$0")/.."

releases=() run_only=
for argument in "$@"; do
    case $argument in
    --run-only) run_only=yes ;;
    *) releases+=("$argument") ;;
    esac
done
((${#releases[@]})) || releases=(bookworm trixie)
mirror=${MIRROR:-$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -1)}
out=$PWD/build/fresh-machine
mkdir -p "$out"

if curl -s -o /dev/null localhost:3001 || curl -s -o /dev/null localhost:3002; then
    echo "something listens on port 3001 or 3002 already" >&2
    exit 2
fi

# what the machine says about packages, for whoever runs in the new one
passed_in() {
    env | grep -E '^(PIP_|NPM_|npm_|UV_|MAVEN_|JAVA_TOOL_OPTIONS|NODE_EXTRA_CA|SSL_CERT_|CURL_CA|REQUESTS_CA|[Hh][Tt][Tt][Pp][Ss]?_PROXY|https?_proxy|[Nn][Oo]_[Pp])' |
        grep -v '^PIP_FIND_LINKS=' || true
}

make_machine() { # release folder
    debootstrap --variant=minbase --include=ca-certificates "$1" "$2" "$mirror" >"$out/$1.debootstrap.log"
    cp -r /usr/local/share/ca-certificates/. "$2/usr/local/share/ca-certificates/"
    cp /etc/resolv.conf /etc/hosts "$2/etc/"
    for file in .npmrc .m2/settings.xml .config/pip/pip.conf; do
        [ -f "$HOME/$file" ] && install -D "$HOME/$file" "$2/root/$file"
    done
    [ -f "$2/root/.npmrc" ] && sed -i /nodedir/d "$2/root/.npmrc" # a folder of this machine
    [ -f /etc/pip.conf ] && cp /etc/pip.conf "$2/etc/"
    cp /etc/apt/apt.conf.d/*proxy* "$2/etc/apt/apt.conf.d/" 2>/dev/null || true
    git clone --quiet --no-hardlinks . "$2/root/quakestream"
    if [ -d ../shared ]; then cp -r ../shared "$2/root/shared"; fi
}

inside() { # folder command: in the new machine, with processes and mounts of its own that end with it
    local folder=$1
    shift
    mapfile -t environment < <(passed_in)
    unshare --mount --pid --fork --kill-child bash -c '
        folder=$1; shift
        mount --bind "$folder" "$folder" # network namespaces of its own want a root that is a mount
        mount -t proc proc "$folder/proc" && mount -t sysfs sys "$folder/sys" && mount --rbind /dev "$folder/dev"
        exec chroot "$folder" env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@"
    ' - "$folder" "${environment[@]}" bash -c "cd /root/quakestream && $*"
}

try() { # release
    local release=$1 folder started first
    folder=$(mktemp -d --tmpdir "fresh-$release.XXXX")
    chmod 755 "$folder" # whoever is not root may enter: PostgreSQL's server is nobody's
    trap 'rm -rf --one-file-system "$folder"' RETURN
    make_machine "$release" "$folder"
    inside "$folder" 'update-ca-certificates >/dev/null; dpkg -l | grep -c ^ii; apt-get update -qq; apt-get install -y -qq make' >"$out/$release.apt.log" 2>&1

    # what is missing is said in one line, with the command that brings it
    while ! inside "$folder" 'make check-machine' >"$out/$release.missing.log" 2>&1; do
        local command
        command=$(sed -n 's/.*Install it: \(sudo \)\?//p' "$out/$release.missing.log" | head -1)
        [ -n "$command" ] || { cat "$out/$release.missing.log"; return 1; }
        echo "$release: $(head -1 "$out/$release.missing.log")"
        inside "$folder" "DEBIAN_FRONTEND=noninteractive $command" >>"$out/$release.apt.log" 2>&1 || return 1
    done

    started=$(date +%s)
    inside "$folder" 'exec make run' >"$out/$release.run.log" 2>&1 &
    local job=$!
    for ((;;)); do
        first=$(curl -s 'localhost:3002/api/v1/earthquakes/count' | sed -n 's/.*"count":\([0-9]*\).*/\1/p' || true)
        [ "${first:-0}" -gt 0 ] && break
        kill -0 $job 2>/dev/null || { echo "$release: make run ended:"; tail -20 "$out/$release.run.log"; return 1; }
        (($(date +%s) < started + 600)) || { echo "$release: no earthquake within 600 s"; pkill -KILL -P $job; return 1; }
        sleep 0.2
    done
    printf '%s: make run to the first earthquake: %d s; on the disk: %s MB\n' "$release" \
        "$(($(date +%s) - started))" "$(du -sm --exclude=.git "$folder/root/quakestream" | cut -f1)"
    curl -s localhost:3002/ | grep -q '<title' || { echo "$release: there is no page"; return 1; }
    pkill -KILL -P $job # the machine, with all that runs in it, which ends with `unshare`: that one ignores SIGTERM
    wait $job || true
    [ -n "$run_only" ] && return 0

    started=$(date +%s)
    if inside "$folder" 'CI=true bash .ci/run' >"$out/$release.ci.log" 2>&1; then
        echo "$release: .ci/run is green after $(($(date +%s) - started)) s"
    else
        echo "$release: .ci/run FAILED after $(($(date +%s) - started)) s: build/fresh-machine/$release.ci.log"
        tail -30 "$out/$release.ci.log"
        return 1
    fi
}

code=0
for release in "${releases[@]}"; do try "$release" || code=1; done
exit $code
