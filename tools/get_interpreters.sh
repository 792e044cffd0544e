#!/bin/sh
# Brings the CPythons that the tests want and this machine lacks: 3.14 and 3.15 from Debian forky,
# unpacked into a folder and started through its own loader, so nothing of the system changes.
# Usage: get_interpreters.sh FOLDER   (as root, for debootstrap; does nothing when already there)
set -eu
folder=$(mkdir -p "$1" && cd "$1" && pwd)
forky=$folder/forky
if [ ! -e "$forky/usr/bin/python3.15" ]; then
    command -v debootstrap >/dev/null || apt-get install -y -qq debootstrap
    [ -e /usr/share/debootstrap/scripts/forky ] || ln -s sid /usr/share/debootstrap/scripts/forky
    debootstrap --no-check-gpg --variant=minbase \
        --include=python3.14,python3.14-dev,python3.15,python3.15-dev,gcc \
        forky "$forky" http://deb.debian.org/debian >"$folder/debootstrap.log" 2>&1 || {
        tail -n 20 "$folder/debootstrap.log" >&2
        exit 1
    }
fi
mkdir -p "$folder/bin"
# They find their library beside the folder they are started from, as any Python does.
ln -sfn "$forky/usr/lib" "$folder/lib"
for version in 3.14 3.15; do
    cat >"$folder/bin/python$version" <<WRAPPER
#!/bin/sh
exec $forky/lib64/ld-linux-x86-64.so.2 --argv0 "\$0" \\
    --library-path $forky/usr/lib/x86_64-linux-gnu $forky/usr/bin/python$version "\$@"
WRAPPER
    chmod +x "$folder/bin/python$version"
done
