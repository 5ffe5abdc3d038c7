#!/bin/sh
# Boots the root file system $1: procd is process 1, in namespaces that its caller made. What belongs to
# this machine (its clock, its devices, its settings outside the network) is out of its reach.
set -e
root="$1"

mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs -o mode=0755 tmpfs "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mkdir -p "$root/dev/pts" "$root/tmp/run" "$root/tmp/lock"
for node in null:3 zero:5 full:7 random:8 urandom:9; do
	mknod -m 666 "$root/dev/${node%:*}" c 1 "${node#*:}"
done
mknod -m 666 "$root/dev/tty" c 5 0
mount -t devpts devpts "$root/dev/pts"
: > "$root/dev/kmsg"
: > "$root/dev/console"
mount --bind "$root/dev/null" "$root/proc/kmsg"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,ro,bind "$root/proc/sys"
for own in net kernel/hostname; do
	mount --bind "/proc/sys/$own" "$root/proc/sys/$own"
done
# It would have this machine tell of all its devices again.
mount --bind /bin/true "$root/sbin/udevtrigger"

cd "$root"
mkdir -p mnt/machine
pivot_root . mnt/machine
cd /
umount -l /mnt/machine
# procd takes this for a container's.
exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin /sbin/procd
