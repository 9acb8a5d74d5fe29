#include "mllp/listener.hpp"

#include <algorithm>
#include <array>
#include <set>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <nlohmann/json.hpp>

namespace radscheduler::sidecar::mllp {
namespace {

namespace ip = boost::asio::ip;
using boost::system::error_code;
using Json = nlohmann::json;

ip::address plain(const ip::address& address) {
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        return ip::make_address_v4(ip::v4_mapped, address.to_v6());
    }
    return address;
}

// "192.0.2.7" is "192.0.2.7/32".
bool matches(const std::string& network, const ip::address& address, bool& good) {
    error_code ec;
    const bool is_v6 = network.find(':') != std::string::npos;
    const auto whole = network.find('/') != std::string::npos ? network : network + (is_v6 ? "/128" : "/32");
    if (is_v6) {
        const auto range = ip::make_network_v6(whole, ec);
        good = !ec;
        return good && address.is_v6() &&
               ip::network_v6(address.to_v6(), range.prefix_length()).canonical() == range.canonical();
    }
    const auto range = ip::make_network_v4(whole, ec);
    good = !ec;
    return good && address.is_v4() &&
           ip::network_v4(address.to_v4(), range.prefix_length()).canonical() == range.canonical();
}

std::string text(const Json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end()) {
        return {};
    }
    if (!found->is_string()) {
        throw std::string(key) + " must be text";
    }
    return found->get<std::string>();
}

std::vector<std::string> texts(const Json& value, const std::string& name) {
    if (!value.is_array()) {
        throw name + " must be a list of texts";
    }
    std::vector<std::string> list;
    for (const auto& item : value) {
        if (!item.is_string()) {
            throw name + " must be a list of texts";
        }
        list.push_back(item.get<std::string>());
    }
    return list;
}

void only(const Json& object, std::initializer_list<const char*> keys, const std::string& where) {
    for (const auto& item : object.items()) {
        if (std::none_of(keys.begin(), keys.end(), [&](const char* key) { return item.key() == key; })) {
            throw where + " has no key \"" + item.key() + "\"";
        }
    }
}

Listener read_one(const Json& object) {
    if (!object.is_object()) {
        throw std::string("each listener must be an object");
    }
    only(object, {"name", "host", "port", "site", "profile", "networks", "tls", "senders"}, "a listener");
    Listener listener;
    listener.name = text(object, "name");
    if (listener.name.empty()) {
        throw std::string("each listener needs a name");
    }
    if (object.contains("host")) {
        listener.host = text(object, "host");
    }
    error_code ec;
    ip::make_address(listener.host, ec);
    const auto port = object.value("port", Json());
    if (ec || !port.is_number_integer() || port < 1 || port > 65535) {
        throw "listener \"" + listener.name + "\" needs an IP address as host and a port from 1 to 65535";
    }
    listener.port = port.get<std::uint16_t>();
    listener.site = text(object, "site");
    if (object.contains("profile")) {
        if (!object["profile"].is_object()) {
            throw std::string("profile must be an object, such as {\"preset\": \"generic\"}");
        }
        if (object["profile"].contains("override_requests")) {
            throw std::string("override_requests is for a sender's own profile (set_sender), not for a listener's");
        }
        listener.profile = object["profile"].dump();
    }
    if (object.contains("networks")) {
        listener.networks = texts(object["networks"], "networks");
    }
    for (const auto& network : listener.networks) {
        if (!is_network(network)) {
            throw "\"" + network + "\" is no network such as 10.1.0.0/16";
        }
    }
    if (object.contains("tls")) {
        const auto& tls = object["tls"];
        if (!tls.is_object()) {
            throw std::string("tls must be an object");
        }
        only(tls, {"certificate", "key", "client_ca"}, "tls");
        listener.tls = {text(tls, "certificate"), text(tls, "key"), text(tls, "client_ca")};
        if (listener.tls.certificate.empty() || listener.tls.key.empty()) {
            throw std::string("tls needs the files certificate and key");
        }
    }
    if (object.contains("senders")) {
        const auto& senders = object["senders"];
        if (!senders.is_object() || listener.tls.client_ca.empty()) {
            throw std::string("senders must be an object, and needs tls with client_ca");
        }
        for (const auto& item : senders.items()) {
            listener.senders.emplace(item.key(), texts(item.value(), "senders of " + item.key()));
        }
    }
    return listener;
}

} // namespace

Listeners read_listeners(std::string_view json) {
    Listeners listeners;
    const auto document = Json::parse(json, nullptr, false);
    if (!document.is_array()) {
        listeners.problem = "it must hold a JSON array of listeners";
        return listeners;
    }
    try {
        std::set<std::string> names;
        for (const auto& item : document) {
            listeners.list.push_back(read_one(item));
            if (!names.insert(listeners.list.back().name).second) {
                throw "two listeners are named \"" + listeners.list.back().name + "\"";
            }
        }
    } catch (const std::string& problem) {
        listeners.problem = problem;
    }
    return listeners;
}

bool is_profile(std::string_view json) {
    return Json::parse(json, nullptr, false).is_object();
}

bool is_network(const std::string& text) {
    bool good = false;
    matches(text, ip::address(), good);
    return good;
}

bool is_in(const std::vector<std::string>& networks, const std::string& address) {
    error_code ec;
    const auto asked = plain(ip::make_address(address, ec));
    bool good = false;
    return !ec && std::any_of(networks.begin(), networks.end(),
                              [&](const auto& network) { return matches(network, asked, good); });
}

std::string sender_of(std::string_view message) {
    const auto start = message.find_first_not_of("\r\n");
    if (start == std::string_view::npos || message.substr(start, 3) != "MSH" || message.size() < start + 8) {
        return {};
    }
    message = message.substr(start, message.find_first_of("\r\n", start) - start);
    const char field = message[3];
    const char component = message[4];
    std::array<std::string_view, 4> fields; // MSH, MSH-2, MSH-3, MSH-4
    for (auto& value : fields) {
        const auto end = message.find(field);
        value = message.substr(0, end);
        message = end == std::string_view::npos ? std::string_view() : message.substr(end + 1);
    }
    const auto first = [component](std::string_view value) {
        return std::string(value.substr(0, value.find(component)));
    };
    return first(fields[2]) + "|" + first(fields[3]);
}

bool may_send(const Listener& listener, const std::vector<std::string>& names, std::string_view sender) {
    return std::any_of(names.begin(), names.end(), [&](const auto& name) {
        const auto entry = listener.senders.find(name);
        return entry != listener.senders.end() &&
               std::find(entry->second.begin(), entry->second.end(), sender) != entry->second.end();
    });
}

} // namespace radscheduler::sidecar::mllp
