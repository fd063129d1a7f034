# The compiled core, in order. nfmasq/_fastpath.pyx is the flow; a line here is a file.
#
# A packet's way (way/)
#   receive       a batch of messages is read from the netfilter queues
#   parse         from bytes to endpoints; all lengths are checked here
#     options       IP options: checked, later rid of internal addresses
#   prefetch      the batch's records are asked for, before the table's lock is taken
#   look_again    a packet that was let by, and is still for the router
#   lookup        the session that the packet belongs to
#   keyed         a packet has a key, if a helper has announced it; else its addresses alone count
#   hairpin       a packet from inside to an external address: out and in again, in two passes
#   admit         a packet of no session begins one
#     screen        which addresses may come in, or go out
#     begin         which packet may begin a session
#     limits        is there room for one more, in all and for its host
#     make_room     old sessions that nobody has answered end while room is short
#     appear        the uplink that a packet leaves by, and the address that goes with its route
#     admit_out     from inside: by the mapping of its internal endpoint
#     pairing       the mapping of an internal endpoint, and its external endpoint
#     admit_in      from outside: by an expectation, a forward, or a mapping that lets it in
#     ask           whether conntrack knows a packet for the default host
#     introduce     tells conntrack of a session that begins behind the rules of others
#     expect        the expectation that a packet fulfils
#     forwards      the forward that claims a packet, and its target
#     attach        the helper that reads the session
#   track         the session learns from the packet; the packet learns its new endpoint
#     identify      an IP identification of the router's own
#     revert        what is changed on the way out is noted, and put right in what an error quotes
#     correct       sequence numbers, where a helper made messages longer or shorter
#   set_aside     a packet of a session with a helper is copied for it
#   account       each packet is counted once
#   refuse        the sender of a dropped packet gets an ICMP error, if the reason says so
#   rewrite       the new endpoint is written, with every checksum over it
#   verdict       the answers of the batch go to the kernel in one send
#
# What the stages share (state/)
#   packet        one packet on its way
#   reasons       why a packet is dropped
#   rules         the policy
#   uplinks networks                  parts of it: where packets leave, and which addresses are inside
#   capacity      how much the core can hold
#   table         sessions, mappings, hosts and their indexes: the records
#   sessions mappings ports timers    their lives: begun and ended
#   pools         which external address has which pool of ports
#   evictable     the sessions that may end early, oldest first
#   index         how sessions are found
#   keys          what tells sessions of a protocol without ports apart
#   check         the sum by which a damaged record is recognized
#   sequence tcpstate traffic         what a session knows of its packets
#   changes       what packets were before they were changed, for errors that quote them
#   refusals aside                    queues to the control path and to the helpers
#   critical      the table's lock around a batch
#
# Formats on the wire (wire/)                wire icmp gre tcpoptions checksum netlink conntrack
# What the control path asks for (calls/)    govern announce announce_key row dump finish recover ahead steps
# Foundations (base/)                        clock locks siphash likelihood
# What Python sees (face/)                   policy uplinks rows lists expectations stand memory table
#                                            queue functions
#
# A file may cimport its own shelf and those after it: calls, way, state, wire, base.
