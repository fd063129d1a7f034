/* The egress program: the second line of the guard, at the tc egress of external and of internal interfaces.
 *
 * By an external interface it drops an IPv4 packet that may never leave. There are four kinds: a packet with an
 * internal source, an ICMP error that quotes an internal address, an answer of the router's own stack for a port
 * of nfmasq, and a packet that came from outside and would go back there.
 *
 * By an internal interface it drops two kinds. One is that answer, because a hairpinned session has one end there.
 * The other is a hairpinned packet whose source no second pass has translated.
 *
 * No flush of a ruleset reaches the program. It is bound to the interface's index, so a new name changes nothing.
 * A packet with a VLAN tag belongs to another interface, and passes.
 *
 * What is stored: `networks` tells what an address is, `interfaces` on which side an interface lies. `ports` has
 * a bit for each external port at which nfmasq's packets may arrive, for TCP and for UDP. `claimed` has such bits
 * for each external address, and at 0 for all of them: ports that a forward takes before the router's own
 * sockets. `usual` is the first external address, 0 without one, and spares most packets the search in
 * `networks`. `mark` has the bit of a hairpinned packet between its two passes.
 *
 * Who writes: nfmasq alone writes these six, and the program reads them. The program alone writes `drops`, a count
 * for each kind of drop. What ends them: the deletion of the tc filter, which holds program and maps. So they
 * outlive the daemon.
 *
 * Own answers. A packet the router's own stack makes has no ingress interface. The stack sends the RST about a
 * segment without a socket by its control socket, which is raw with protocol TCP, and ICMP errors by a raw
 * socket with protocol ICMP. A socket that lives sends its RST itself, nfmasq sends refusals by a raw socket
 * with protocol RAW, and a firewall's tcp-reset has no socket: all these pass. For a claimed port a living
 * socket of the router may not answer either, because the packet it answers is another host's. Limit: an ICMP
 * port unreachable that a FORWARD rule makes about a UDP session cannot be told from the stack's own, and is
 * dropped.
 *
 * Addresses and ports are in network byte order, as packets have them. Where a header cannot be read, the
 * packet is too short to be IPv4, or to quote, and passes. Needs Linux 5.1.
 *
 * Build: see build.py in this folder. License: the kernel asks for one; GPL, as the rest of nfmasq.
 */

#include <linux/bpf.h>

#define SECTION(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))

struct map_definition {
    __u32 type, key_size, value_size, most_entries, flags;
};

enum kind { UNKNOWN, EXTERNAL, INTERNAL, UNTRANSLATED, EXEMPT };
enum side { ELSEWHERE, INSIDE, OUTSIDE };
enum drop { SOURCE, QUOTE, OWN_ANSWER, SPOOFED, RETURNED, DROPS };
enum transport { OF_TCP, OF_UDP, TRANSPORTS };

struct port_bits {
    __u8 of[TRANSPORTS][65536 / 8];
};

#define MOST_NETWORKS 65536
#define MOST_INTERFACES 1024
#define MOST_CLAIMS 4096

struct map_definition SECTION("maps") networks = {
    BPF_MAP_TYPE_LPM_TRIE, 8, 4, MOST_NETWORKS, BPF_F_NO_PREALLOC
};
struct map_definition SECTION("maps") interfaces = { BPF_MAP_TYPE_HASH, 4, 4, MOST_INTERFACES, 0 };
struct map_definition SECTION("maps") ports = { BPF_MAP_TYPE_ARRAY, 4, sizeof(struct port_bits), 1, 0 };
struct map_definition SECTION("maps") claimed = {
    BPF_MAP_TYPE_HASH, 4, sizeof(struct port_bits), MOST_CLAIMS, BPF_F_NO_PREALLOC
};
struct map_definition SECTION("maps") usual = { BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0 };
struct map_definition SECTION("maps") mark = { BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0 };
struct map_definition SECTION("maps") drops = { BPF_MAP_TYPE_ARRAY, 4, 8, DROPS, 0 };

static void *(*look_up)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static struct bpf_sock *(*full_socket)(struct bpf_sock *) = (void *)BPF_FUNC_sk_fullsock;
static long (*load)(const void *skb, __u32 offset, void *to, __u32 length, __u32 from) =
    (void *)BPF_FUNC_skb_load_bytes_relative;

enum { PASS = -1, DROP = 2 }; /* TC_ACT_UNSPEC: the next filter decides. TC_ACT_SHOT. */
enum { ICMP = 1, TCP = 6, UDP = 17, UDP_LITE = 136, RAW = 255, RAW_SOCKET = 3 };
enum { NO_SOCKET = -2, OTHER_SOCKET = -1 };
enum { UNREACHABLE = 3, TIME_EXCEEDED = 11, PARAMETER_PROBLEM = 12 };
enum { PROTOCOL_UNREACHABLE = 2, PORT_UNREACHABLE = 3 };

#define IPV4 __builtin_bswap16(0x0800)
#define OFFSET_OF_FRAGMENT __builtin_bswap16(0x1fff)
#define RST 0x04

struct ip_header {
    __u8 version_length, tos;
    __u16 length, identification, fragment;
    __u8 ttl, protocol;
    __u16 checksum;
    __u32 source, destination;
};

struct icmp_error {
    __u8 type, code;
    __u16 checksum;
    __u32 unused;
    struct ip_header quoted;
};

struct tcp_start {
    __u16 source, destination;
    __u32 sequence, acknowledgment;
    __u8 offset, flags;
};

INLINE __u32 header_length(const struct ip_header *header)
{
    return (header->version_length & 15) * 4;
}

INLINE enum kind kind_of(__u32 address)
{
    struct {
        __u32 length, address;
    } key = { 32, address };
    __u32 *found = look_up(&networks, &key);

    return found ? *found : UNKNOWN;
}

INLINE enum kind kind_of_source(__u32 address)
{
    __u32 zero = 0, *first = look_up(&usual, &zero);

    return first && *first == address && address ? EXTERNAL : kind_of(address);
}

INLINE enum side side_of(__u32 interface)
{
    __u32 *found = look_up(&interfaces, &interface);

    return found ? *found : ELSEWHERE;
}

INLINE int has(const struct port_bits *bits, enum transport transport, __u16 port)
{
    __u32 number = __builtin_bswap16(port);

    /* An older verifier does not know that swapped bytes stay within 16 bits. The compiler knows, and leaves the
     * mask out unless it has to forget. */
    __asm__ volatile("" : "+r"(number));
    number &= 0xffff;
    return bits && bits->of[transport][number >> 3] >> (number & 7) & 1;
}

INLINE int is_ours(enum transport transport, __u16 port)
{
    __u32 zero = 0;

    return has(look_up(&ports, &zero), transport, port);
}

INLINE int is_claimed(__u32 address, enum transport transport, __u16 port)
{
    __u32 everywhere = 0;

    return has(look_up(&claimed, &everywhere), transport, port) ||
           has(look_up(&claimed, &address), transport, port);
}

INLINE int drop(enum drop why)
{
    __u32 key = why;
    __u64 *count = look_up(&drops, &key);

    if (count)
        __sync_fetch_and_add(count, 1);
    return DROP;
}

/* The protocol of the raw socket that made the packet, or OTHER_SOCKET, or NO_SOCKET. */
INLINE int socket_of(struct __sk_buff *skb)
{
    struct bpf_sock *socket = skb->sk;

    if (!socket)
        return NO_SOCKET;
    socket = full_socket(socket);
    if (!socket || socket->type != RAW_SOCKET)
        return OTHER_SOCKET;
    return socket->protocol;
}

/* May a packet of this TCP or UDP port, made by this socket, leave with the source `address`? */
INLINE int may_answer(int socket, __u32 address, enum transport transport, __u16 port)
{
    return socket == NO_SOCKET || socket == RAW || !is_claimed(address, transport, port);
}

INLINE int judge_own_segment(struct __sk_buff *skb, const struct ip_header *ip)
{
    int socket = socket_of(skb);
    struct tcp_start tcp;

    if (load(skb, header_length(ip), &tcp, sizeof tcp, BPF_HDR_START_NET))
        return PASS;
    if (tcp.flags & RST && socket == TCP && is_ours(OF_TCP, tcp.source))
        return drop(OWN_ANSWER);
    return may_answer(socket, ip->source, OF_TCP, tcp.source) ? PASS : drop(OWN_ANSWER);
}

INLINE int judge_own_datagram(struct __sk_buff *skb, const struct ip_header *ip)
{
    __u16 source;

    if (load(skb, header_length(ip), &source, sizeof source, BPF_HDR_START_NET))
        return PASS;
    return may_answer(socket_of(skb), ip->source, OF_UDP, source) ? PASS : drop(OWN_ANSWER);
}

INLINE int judge_own_error(struct __sk_buff *skb, const struct ip_header *ip)
{
    struct icmp_error error;
    __u16 endpoints[2];
    __u32 start = header_length(ip);

    if (load(skb, start, &error, sizeof error, BPF_HDR_START_NET) || error.type != UNREACHABLE)
        return PASS;
    if (socket_of(skb) != ICMP || kind_of(error.quoted.destination) != EXTERNAL)
        return PASS;
    if (error.code == PROTOCOL_UNREACHABLE)
        return drop(OWN_ANSWER);
    if (error.code != PORT_UNREACHABLE)
        return PASS;
    if (error.quoted.protocol != UDP && error.quoted.protocol != UDP_LITE)
        return PASS;
    start += 8 + header_length(&error.quoted);
    if (load(skb, start, endpoints, sizeof endpoints, BPF_HDR_START_NET))
        return PASS;
    if (is_ours(OF_UDP, endpoints[1]) || is_claimed(error.quoted.destination, OF_UDP, endpoints[1]))
        return drop(OWN_ANSWER);
    return PASS;
}

/* Of a packet that the router itself sends from an external address. */
INLINE int judge_own(struct __sk_buff *skb, const struct ip_header *ip)
{
    if (ip->fragment & OFFSET_OF_FRAGMENT)
        return PASS;
    if (ip->protocol == TCP)
        return judge_own_segment(skb, ip);
    if (ip->protocol == UDP)
        return judge_own_datagram(skb, ip);
    return ip->protocol == ICMP ? judge_own_error(skb, ip) : PASS;
}

INLINE int quotes_inside(struct __sk_buff *skb, const struct ip_header *ip)
{
    struct icmp_error error;

    if (ip->protocol != ICMP || ip->fragment & OFFSET_OF_FRAGMENT)
        return 0;
    if (load(skb, header_length(ip), &error, sizeof error, BPF_HDR_START_NET))
        return 0;
    if (error.type != UNREACHABLE && error.type != TIME_EXCEEDED && error.type != PARAMETER_PROBLEM)
        return 0;
    return kind_of(error.quoted.destination) == INTERNAL || kind_of(error.quoted.source) == INTERNAL;
}

/* Where no address is external, the router would ask for its neighbour (ARP) by an internal one. */
INLINE int goes_back(const struct ip_header *ip)
{
    __u32 zero = 0, *first = look_up(&usual, &zero);

    return !first || !*first || kind_of(ip->destination) == EXTERNAL;
}

INLINE int read_header(struct __sk_buff *skb, struct ip_header *ip)
{
    if (skb->protocol != IPV4 || skb->vlan_present)
        return 0;
    return !load(skb, 0, ip, sizeof *ip, BPF_HDR_START_NET);
}

SECTION("external") int by_external(struct __sk_buff *skb)
{
    struct ip_header ip;
    enum kind source;
    enum side from;

    if (!read_header(skb, &ip))
        return PASS;
    source = kind_of_source(ip.source);
    if (source == INTERNAL)
        return kind_of(ip.destination) == EXEMPT ? PASS : drop(SOURCE);
    if (source != EXTERNAL) {
        from = side_of(skb->ingress_ifindex);
        if (source == UNTRANSLATED)
            return from == OUTSIDE ? drop(SPOOFED) : PASS;
        if (from == INSIDE)
            return drop(SOURCE);
        if (from == OUTSIDE && goes_back(&ip))
            return drop(RETURNED);
    }
    if (quotes_inside(skb, &ip))
        return kind_of(ip.destination) == EXEMPT ? PASS : drop(QUOTE);
    return source == EXTERNAL && !skb->ingress_ifindex ? judge_own(skb, &ip) : PASS;
}

/* Is it between its two passes still? The rule of the second one went as the packet was under way. By an interface
 * that is not internal comes no hairpinned packet: the bit is another program's there, as in a tunnel's packets. */
INLINE int is_half_translated(struct __sk_buff *skb, const struct ip_header *ip)
{
    __u32 zero = 0, *bit = look_up(&mark, &zero);

    return bit && skb->mark & *bit && kind_of(ip->source) == INTERNAL && side_of(skb->ingress_ifindex) == INSIDE;
}

SECTION("internal") int by_internal(struct __sk_buff *skb)
{
    struct ip_header ip;

    if (skb->ingress_ifindex && !skb->mark)
        return PASS;
    if (!read_header(skb, &ip))
        return PASS;
    if (skb->ingress_ifindex)
        return is_half_translated(skb, &ip) ? drop(SOURCE) : PASS;
    return kind_of_source(ip.source) == EXTERNAL ? judge_own(skb, &ip) : PASS;
}

char SECTION("license") program_license[] = "GPL";
