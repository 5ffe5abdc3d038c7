#!/bin/sh
# The first and only process of a guest: runs every test, says how they ended, and goes.
# What the host reads begins with "@@".

export PATH=/bin HOME=/tmp RUST_BACKTRACE=0
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
ip link set lo up
while read -r module; do
    [ -f "/modules/$module.ko" ] && insmod "/modules/$module.ko"
done < /modules/order

run() {
    name=$1
    shift
    case ",${TESTS:-$name}," in
        *",$name,"*) ;;
        *) return ;;
    esac
    echo "@@ begin $name"
    "/tests/$name" --test-threads=1 "$@"
    echo "@@ end $name"
}

jit=/proc/sys/net/core/bpf_jit_enable
btf=no
[ -f /sys/kernel/btf/vmlinux ] && btf=yes
echo "@@ kernel $(uname -r)"
echo "@@ btf $btf"
if [ -f $jit ]; then echo "@@ jit $(cat $jit)"; else echo "@@ jit 0"; fi

# Shows what the verifier did, hence without capture.
MQTTGUARD_FRAMES=20000 run kernel_differential --nocapture
run kernel_decide
run kernel_evasion
run kernel_reject
run kernel_websocket --skip real_clients
run kernel_websocket_split
run kernel_attach

if [ -f $jit ] && [ "$(cat $jit)" != 0 ] && echo 0 2> /dev/null > $jit && [ "$(cat $jit)" = 0 ]; then
    echo "@@ jit 0"
    MQTTGUARD_FRAMES=5000 run kernel_differential --nocapture
    run kernel_decide
fi
echo "@@ done"
reboot -f
