/* The egress program: the second line of the guard, at the tc egress of an external interface.
 *
 * It drops an IPv4 packet that may never leave: one with an internal source, an ICMP error that quotes an
 * internal address, and an answer of the router's own stack about a port that nfmasq hands out. No flush of a
 * ruleset reaches it, and it is bound to the interface's index, so a new name changes nothing.
 *
 * What is stored: `networks` tells what an address is, `interfaces` on which side an interface lies, `ports`
 * which external ports are nfmasq's, one bit each; `usual` is the first external address, 0 without one, and
 * spares most packets the search in `networks`. nfmasq alone writes these four, and the program reads them.
 * The program alone writes `drops`, a count for each kind of drop. The tc filter holds program and maps, so they
 * outlive the daemon; deleting the filter ends them.
 *
 * Own answers. A packet the router's own stack makes has no ingress interface. The stack sends the RST about a
 * segment without a socket by its control socket, which is raw with protocol TCP, and ICMP errors by a raw
 * socket with protocol ICMP. A socket that lives sends its RST itself, nfmasq sends refusals by a raw socket
 * with protocol RAW, and a firewall's tcp-reset has no socket: all these pass. Limit: an ICMP port unreachable
 * that a FORWARD rule makes about a UDP session cannot be told from the stack's own, and is dropped.
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
enum drop { SOURCE, QUOTE, OWN_ANSWER, SPOOFED, DROPS };

#define MOST_NETWORKS 65536
#define MOST_INTERFACES 256

struct map_definition SECTION("maps") networks = {
    BPF_MAP_TYPE_LPM_TRIE, 8, 4, MOST_NETWORKS, BPF_F_NO_PREALLOC
};
struct map_definition SECTION("maps") interfaces = { BPF_MAP_TYPE_HASH, 4, 4, MOST_INTERFACES, 0 };
struct map_definition SECTION("maps") ports = { BPF_MAP_TYPE_ARRAY, 4, 65536 / 8, 1, 0 };
struct map_definition SECTION("maps") usual = { BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0 };
struct map_definition SECTION("maps") drops = { BPF_MAP_TYPE_ARRAY, 4, 8, DROPS, 0 };

static void *(*look_up)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static struct bpf_sock *(*full_socket)(struct bpf_sock *) = (void *)BPF_FUNC_sk_fullsock;
static long (*load)(const void *skb, __u32 offset, void *to, __u32 length, __u32 from) =
    (void *)BPF_FUNC_skb_load_bytes_relative;

enum { PASS = -1, DROP = 2 }; /* TC_ACT_UNSPEC: the next filter decides. TC_ACT_SHOT. */
enum { ICMP = 1, TCP = 6, UDP = 17, UDP_LITE = 136, RAW_SOCKET = 3 };
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

INLINE int handed_out(__u16 port)
{
    __u32 zero = 0, number = __builtin_bswap16(port);
    __u8 *bits = look_up(&ports, &zero);

    /* An older verifier does not know that swapped bytes stay within 16 bits. The compiler knows, and leaves the
     * mask out unless it has to forget. */
    __asm__ volatile("" : "+r"(number));
    number &= 0xffff;
    return bits && bits[number >> 3] >> (number & 7) & 1;
}

INLINE int drop(enum drop why)
{
    __u32 key = why;
    __u64 *count = look_up(&drops, &key);

    if (count)
        __sync_fetch_and_add(count, 1);
    return DROP;
}

/* The protocol of the raw socket that made the packet; -1: another kind of socket did, or none. */
INLINE int raw_socket_protocol(struct __sk_buff *skb)
{
    struct bpf_sock *socket = skb->sk;

    if (!socket)
        return -1;
    socket = full_socket(socket);
    if (!socket || socket->type != RAW_SOCKET)
        return -1;
    return socket->protocol;
}

INLINE int judge_error(struct __sk_buff *skb, const struct ip_header *ip, enum kind source)
{
    struct icmp_error error;
    __u16 endpoints[2];
    __u32 start = header_length(ip);

    if (load(skb, start, &error, sizeof error, BPF_HDR_START_NET))
        return PASS;
    if (error.type != UNREACHABLE && error.type != TIME_EXCEEDED && error.type != PARAMETER_PROBLEM)
        return PASS;
    if (kind_of(error.quoted.destination) == INTERNAL || kind_of(error.quoted.source) == INTERNAL)
        return kind_of(ip->destination) == EXEMPT ? PASS : drop(QUOTE);
    if (source != EXTERNAL || skb->ingress_ifindex || error.type != UNREACHABLE)
        return PASS;
    if (raw_socket_protocol(skb) != ICMP || kind_of(error.quoted.destination) != EXTERNAL)
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
    return handed_out(endpoints[1]) ? drop(OWN_ANSWER) : PASS;
}

INLINE int judge_segment(struct __sk_buff *skb, const struct ip_header *ip, enum kind source)
{
    struct tcp_start tcp;

    if (source != EXTERNAL || skb->ingress_ifindex)
        return PASS;
    if (load(skb, header_length(ip), &tcp, sizeof tcp, BPF_HDR_START_NET) || !(tcp.flags & RST))
        return PASS;
    if (raw_socket_protocol(skb) != TCP)
        return PASS;
    return handed_out(tcp.source) ? drop(OWN_ANSWER) : PASS;
}

SECTION("classifier") int egress(struct __sk_buff *skb)
{
    struct ip_header ip;
    enum kind source;

    if (skb->protocol != IPV4 || load(skb, 0, &ip, sizeof ip, BPF_HDR_START_NET))
        return PASS;
    source = kind_of_source(ip.source);
    if (source == UNTRANSLATED)
        return side_of(skb->ingress_ifindex) == OUTSIDE ? drop(SPOOFED) : PASS;
    if (source == INTERNAL)
        return kind_of(ip.destination) == EXEMPT ? PASS : drop(SOURCE);
    if (source != EXTERNAL && side_of(skb->ingress_ifindex) == INSIDE)
        return drop(SOURCE);
    if (ip.fragment & OFFSET_OF_FRAGMENT)
        return PASS;
    if (ip.protocol == ICMP)
        return judge_error(skb, &ip, source);
    if (ip.protocol == TCP)
        return judge_segment(skb, &ip, source);
    return PASS;
}

char SECTION("license") program_license[] = "GPL";
