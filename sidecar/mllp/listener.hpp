// One MLLP listener: where it listens, who may come in, for which site, and with which certificate.
// Rules: an empty list of networks lets everybody in. With a client CA every client needs a certificate that it signed;
// with `senders`, a certificate that is named there, and messages of the senders it stands for only.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace radscheduler::sidecar::mllp {

struct TlsFiles {
    std::string certificate; // PEM, the chain; empty: plain
    std::string key;         // PEM
    std::string client_ca;   // PEM; empty: clients need no certificate
};

struct Listener {
    std::string name = "main";
    std::string host = "0.0.0.0";
    std::uint16_t port = 0;
    std::string site;                  // code of the site whose messages come in here; empty: the sender decides
    std::string profile;               // of senders that are heard of here first, in JSON; empty: none
    std::vector<std::string> networks; // "10.1.0.0/16", "fd00::/8", "192.0.2.7"
    TlsFiles tls;
    // A name of a client's certificate (common name, DNS name or sha256:<hex>) to "application|facility" of the senders
    // that it stands for.
    std::map<std::string, std::vector<std::string>, std::less<>> senders;
};

// A list of listeners in JSON (RADSCHED_MLLP_LISTENERS names the file), or what is wrong with it.
struct Listeners {
    std::vector<Listener> list;
    std::string problem;
};
Listeners read_listeners(std::string_view json);

// True for JSON that is an object.
bool is_profile(std::string_view json);
// True for text that names a network or an address.
bool is_network(const std::string& text);
// Whether an address is in one of the networks; an IPv4 address that came through an IPv6 socket counts as IPv4.
bool is_in(const std::vector<std::string>& networks, const std::string& address);

// MSH-3.1 and MSH-4.1 as "application|facility"; empty when the bytes do not begin with a header.
std::string sender_of(std::string_view message);
// Whether a certificate of these names may bring messages of this sender.
bool may_send(const Listener& listener, const std::vector<std::string>& names, std::string_view sender);

} // namespace radscheduler::sidecar::mllp
