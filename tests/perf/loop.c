/* The loop of libnetfilter_queue's own example: read one packet, accept it, read the next. Until killed. */

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static int accept_packet(struct nfq_q_handle *queue, struct nfgenmsg *message, struct nfq_data *data, void *unused)
{
    struct nfqnl_msg_packet_hdr *header = nfq_get_msg_packet_hdr(data);

    (void)message;
    (void)unused;
    return nfq_set_verdict(queue, ntohl(header->packet_id), NF_ACCEPT, 0, NULL);
}

int main(int count, char **arguments)
{
    static char buffer[0xffff + 4096];
    struct nfq_handle *handle = nfq_open();
    struct nfq_q_handle *queue;
    ssize_t length;

    if (count != 2 || handle == NULL)
        return 1;
    queue = nfq_create_queue(handle, atoi(arguments[1]), accept_packet, NULL);
    if (queue == NULL || nfq_set_mode(queue, NFQNL_COPY_PACKET, 0xffff) < 0)
        return 1;
    puts("ready");
    fflush(stdout);
    for (;;) {
        length = recv(nfq_fd(handle), buffer, sizeof buffer, 0);
        if (length > 0)
            nfq_handle_packet(handle, buffer, length);
    }
}
