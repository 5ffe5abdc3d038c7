//! What mqttguard's limits and port rules are in nftables. What it does beyond (a CONNECT on any
//! port, in any pieces, counters by device and reason) has no counterpart there.

/// Where the rules stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chain {
    /// Where OpenWrt's firewall has its own: in `forward`, with connection tracking.
    Forward,
    /// As early as nftables can: on the ingress of the port, without connection tracking.
    Ingress,
}

/// Rules that hold each MAC address to this many packets in a second, and drop plaintext MQTT. What
/// they drop is counted by `dropped`.
pub(crate) fn ruleset(chain: Chain, port: &str, packets_per_s: u32) -> String {
    let sets = "counter dropped { }
        set blocked { type ether_addr; elements = { 02:00:00:00:00:99 } }
        set plaintext { type inet_service; elements = { 1883, 1884 } }
        set packets { type ether_addr; size 4096; flags dynamic, timeout; timeout 1m; }
        set opened { type ether_addr; size 4096; flags dynamic, timeout; timeout 1m; }";
    let limits = format!(
        "ether saddr @blocked counter name dropped drop
        update @packets {{ ether saddr limit rate over {packets_per_s}/second burst {packets_per_s} packets }} counter name dropped drop"
    );
    let opening = format!(
        "tcp flags & (syn | ack) == syn update @opened {{ ether saddr limit rate over {packets_per_s}/second burst {packets_per_s} packets }} counter name dropped drop"
    );
    let plaintext = "tcp dport @plaintext counter name dropped drop";
    match chain {
        // The same order as OpenWrt's: what is established goes its way, then the zones.
        Chain::Forward => format!(
            "table inet filter {{
                {sets}
                chain forward {{
                    type filter hook forward priority filter; policy drop;
                    {limits}
                    ct state vmap {{ established : accept, related : accept }}
                    iifname \"br-lan\" jump forward_lan
                }}
                chain forward_lan {{
                    {opening}
                    {plaintext}
                    oifname \"wan\" accept
                }}
            }}"
        ),
        Chain::Ingress => format!(
            "table netdev filter {{
                {sets}
                chain ingress {{
                    type filter hook ingress device \"{port}\" priority filter; policy accept;
                    {limits}
                    {opening}
                    {plaintext}
                }}
            }}"
        ),
    }
}
