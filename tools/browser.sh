#!/usr/bin/env bash
# Prints the path of a Chromium or Chrome for the browser tests; on Debian it first installs what they need
# and is missing (the browser, Chinese letters, Fashion-MNIST), as root or where sudo asks no password.
set -euo pipefail

find_browser() {
    local name
    if [ -n "${CHROMIUM:-}" ]; then
        command -v "$CHROMIUM" || { echo "CHROMIUM names $CHROMIUM, which is no program." >&2; exit 1; }
        return
    fi
    for name in chromium chromium-browser google-chrome google-chrome-stable chrome \
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" \
        "/Applications/Chromium.app/Contents/MacOS/Chromium"; do
        command -v "$name" && return
    done
    return 1
}

missing=()
(find_browser) >/dev/null 2>&1 || [ -n "${CHROMIUM:-}" ] || missing+=(chromium)
[ -d /usr/share/fonts/opentype/noto ] || missing+=(fonts-noto-cjk)
[ -d /usr/share/datasets/fashion-mnist ] || missing+=(dataset-fashion-mnist)

if [ ${#missing[@]} -gt 0 ] && [ -f /etc/debian_version ]; then
    as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo -n)
    if [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; then
        echo "Installing ${missing[*]} ..." >&2
        export DEBIAN_FRONTEND=noninteractive
        for package in "${missing[@]}"; do
            "${as_root[@]}" apt-get install -qq -y --no-install-recommends "$package" >/dev/null 2>&1 ||
                { "${as_root[@]}" apt-get update -qq >/dev/null 2>&1 &&
                  "${as_root[@]}" apt-get install -qq -y --no-install-recommends "$package" >/dev/null 2>&1; } ||
                echo "$package could not be installed." >&2
        done
    fi
fi

find_browser || {
    echo "The browser tests need Chromium or Chrome: install one, or name it as in CHROMIUM=/path/to/chrome make test." >&2
    exit 1
}
