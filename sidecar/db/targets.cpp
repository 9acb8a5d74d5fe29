#include "db/targets.hpp"

#include <memory>
#include <string_view>

#include <libpq-fe.h>

namespace radscheduler::sidecar {
namespace {

std::vector<std::string> split_commas(const std::string& list) {
    std::vector<std::string> items;
    std::size_t from = 0;
    while (true) {
        const auto comma = list.find(',', from);
        items.push_back(list.substr(from, comma - from));
        if (comma == std::string::npos) {
            return items;
        }
        from = comma + 1;
    }
}

// The item of a list for host number `index`: one item serves all hosts, as in libpq.
std::string item(const std::vector<std::string>& list, std::size_t index) {
    return list[list.size() == 1 ? 0 : index];
}

} // namespace

Targets read_targets(const std::string& database_url) {
    Targets targets;
    char* raw_error = nullptr;
    const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(
        PQconninfoParse(database_url.c_str(), &raw_error), &PQconninfoFree);
    const std::unique_ptr<char, decltype(&PQfreemem)> error(raw_error, &PQfreemem);
    if (!parsed) {
        // libpq's own text may quote the value, and with it a password.
        targets.problem =
            "it must be a PostgreSQL URL such as postgresql://user:password@host:5432/database, with %XX for "
            "special characters in the password";
        return targets;
    }

    std::vector<std::pair<std::string, std::string>> common;
    std::string host;
    std::string hostaddr;
    std::string port;
    for (const auto* option = parsed.get(); option->keyword != nullptr; ++option) {
        if (option->val == nullptr) {
            continue;
        }
        const std::string_view keyword(option->keyword);
        if (keyword == "host") {
            host = option->val;
        } else if (keyword == "hostaddr") {
            hostaddr = option->val;
        } else if (keyword == "port") {
            port = option->val;
        } else {
            common.emplace_back(option->keyword, option->val);
        }
    }

    const auto hosts = split_commas(host);
    const auto addresses = split_commas(hostaddr);
    const auto ports = split_commas(port);
    const auto count = hostaddr.empty() ? hosts.size() : addresses.size();
    const auto fits = [count](const std::vector<std::string>& list) {
        return list.size() == 1 || list.size() == count;
    };
    if (!fits(ports) || (!host.empty() && !hostaddr.empty() && hosts.size() != count)) {
        targets.problem = "it must name as many ports as hosts, or one port for all";
        return targets;
    }
    for (std::size_t i = 0; i < count; ++i) {
        Target target;
        target.parameters = common;
        const auto add = [&target](const char* keyword, const std::string& value) {
            if (!value.empty()) {
                target.parameters.emplace_back(keyword, value);
            }
        };
        add("host", host.empty() ? "" : item(hosts, i));
        add("hostaddr", hostaddr.empty() ? "" : item(addresses, i));
        add("port", item(ports, i));
        target.name = !host.empty() ? item(hosts, i) : hostaddr.empty() ? "local socket" : item(addresses, i);
        if (!item(ports, i).empty()) {
            target.name.append(":").append(item(ports, i));
        }
        targets.list.push_back(std::move(target));
    }
    return targets;
}

} // namespace radscheduler::sidecar
