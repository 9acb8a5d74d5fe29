#include "config/options.hpp"

#include <algorithm>
#include <array>

#include <boost/asio/ip/address.hpp>

#include "config/access_options.hpp"
#include "config/values.hpp"
#include "db/targets.hpp"
#include "obs/text.hpp"
#include "redis/url.hpp"

namespace radscheduler::sidecar {
namespace {

using Rule = std::optional<std::string>; // what a good value would be; empty when the value is good

std::string flag_of(std::string_view variable) {
    std::string flag = "--";
    if (variable.substr(0, 9) == "RADSCHED_") {
        variable.remove_prefix(9);
    }
    for (const char c : variable) {
        flag += c == '_' ? '-' : (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
    }
    return flag;
}

Option text(std::string variable, std::string meaning, std::optional<std::string> Settings::*member, bool secret) {
    auto flag = flag_of(variable);
    return {std::move(variable),
            std::move(flag),
            std::move(meaning),
            secret,
            [member](Settings& settings, const std::string& value) -> Rule {
                settings.*member = value;
                return std::nullopt;
            },
            [member](const Settings& settings) { return (settings.*member).value_or(""); }};
}

Option plain_text(std::string variable, std::string meaning, std::string Settings::*member) {
    auto flag = flag_of(variable);
    return {std::move(variable),
            std::move(flag),
            std::move(meaning),
            false,
            [member](Settings& settings, const std::string& value) -> Rule {
                settings.*member = value;
                return std::nullopt;
            },
            [member](const Settings& settings) { return settings.*member; }};
}

Rule read_networks(Settings& settings, const std::string& value) {
    std::size_t from = 0;
    settings.mllp_networks.clear();
    while (from <= value.size()) {
        const auto comma = std::min(value.find(',', from), value.size());
        const std::string item(trim(std::string_view(value).substr(from, comma - from)));
        if (!mllp::is_network(item)) {
            return "it must be networks separated by commas, such as 10.1.0.0/16,192.0.2.7,fd00::/8";
        }
        settings.mllp_networks.push_back(item);
        from = comma + 1;
    }
    return std::nullopt;
}

std::string show_networks(const Settings& settings) {
    std::string shown;
    for (const auto& network : settings.mllp_networks) {
        shown += (shown.empty() ? "" : ",") + network;
    }
    return shown;
}

Option port(std::string variable, std::string meaning, std::uint16_t Settings::*member) {
    auto flag = flag_of(variable);
    return {std::move(variable),
            std::move(flag),
            std::move(meaning),
            false,
            [member](Settings& settings, const std::string& value) -> Rule {
                const auto number = read_number(value);
                if (!number || *number < 1 || *number > 65535) {
                    return "a port is a number from 1 to 65535";
                }
                settings.*member = static_cast<std::uint16_t>(*number);
                return std::nullopt;
            },
            [member](const Settings& settings) { return std::to_string(settings.*member); }};
}

Option host(std::string variable, std::string meaning, std::string Settings::*member) {
    auto flag = flag_of(variable);
    return {std::move(variable),
            std::move(flag),
            std::move(meaning),
            false,
            [member](Settings& settings, const std::string& value) -> Rule {
                boost::system::error_code ec;
                boost::asio::ip::make_address(value, ec);
                if (ec) {
                    return "it must be an IP address of this machine, such as 0.0.0.0 (all), 127.0.0.1 or ::";
                }
                settings.*member = value;
                return std::nullopt;
            },
            [member](const Settings& settings) { return settings.*member; }};
}

Option size(std::string variable, std::string meaning, std::size_t Settings::*member, std::size_t low,
            std::size_t high) {
    auto flag = flag_of(variable);
    return {std::move(variable),
            std::move(flag),
            std::move(meaning),
            false,
            [member, low, high](Settings& settings, const std::string& value) -> Rule {
                const auto bytes = read_size(value);
                if (!bytes || *bytes < low || *bytes > high) {
                    return "it must be a size from " + show_size(low) + " to " + show_size(high) +
                           ", in bytes or with a unit, such as 1048576 or 16MiB";
                }
                settings.*member = *bytes;
                return std::nullopt;
            },
            [member](const Settings& settings) { return show_size(settings.*member); }};
}

Option count(std::string variable, std::string meaning, std::size_t Settings::*member, std::size_t low,
             std::size_t high) {
    auto flag = flag_of(variable);
    return {std::move(variable),
            std::move(flag),
            std::move(meaning),
            false,
            [member, low, high](Settings& settings, const std::string& value) -> Rule {
                const auto number = read_number(value);
                if (!number || *number < low || *number > high) {
                    return "it must be a number from " + std::to_string(low) + " to " + std::to_string(high);
                }
                settings.*member = static_cast<std::size_t>(*number);
                return std::nullopt;
            },
            [member](const Settings& settings) { return std::to_string(settings.*member); }};
}

Option duration(std::string variable, std::string meaning, std::chrono::milliseconds Settings::*member,
                std::chrono::milliseconds low, std::chrono::milliseconds high) {
    auto flag = flag_of(variable);
    return {std::move(variable),
            std::move(flag),
            std::move(meaning),
            false,
            [member, low, high](Settings& settings, const std::string& value) -> Rule {
                const auto time = read_duration(value);
                if (!time || *time < low || *time > high) {
                    return "it must be a time from " + show_duration(low) + " to " + show_duration(high) +
                           ", in seconds or with a unit, such as 30, 30s, 5m or 24h";
                }
                settings.*member = *time;
                return std::nullopt;
            },
            [member](const Settings& settings) { return show_duration(settings.*member); }};
}

// One of a few words.
Rule one_of(const std::string& value, std::initializer_list<std::string_view> words) {
    std::string list;
    for (const auto word : words) {
        if (value == word) {
            return std::nullopt;
        }
        list += (list.empty() ? "" : ", ") + std::string(word);
    }
    return "it must be one of: " + list;
}

constexpr std::array<std::string_view, 4> level_names{"debug", "info", "warn", "error"};

std::vector<Option> make_options() {
    using namespace std::chrono_literals;
    std::vector<Option> table;

    table.push_back({"DATABASE_URL", flag_of("DATABASE_URL"),
                     "PostgreSQL, as URL or key=value words; several hosts are tried in turn (required)", true,
                     [](Settings& settings, const std::string& value) -> Rule {
                         settings.database_url = value;
                         auto targets = read_targets(value);
                         return targets.problem.empty() ? Rule() : Rule(targets.problem);
                     },
                     [](const Settings& settings) { return redact_url(settings.database_url); }});
    table.push_back({"REDIS_URL", flag_of("REDIS_URL"),
                     "Redis for events, redis://[user:password@]host[:port][/db], rediss:// for TLS; unset: off", true,
                     [](Settings& settings, const std::string& value) -> Rule {
                         settings.redis_url = value;
                         auto url = redis::read_url(value);
                         return url.problem.empty() ? Rule() : Rule(url.problem);
                     },
                     [](const Settings& settings) { return redact_url(settings.redis_url.value_or("")); }});
    table.push_back(plain_text("RADSCHED_REDIS_CA", "PEM file of certificates that Redis may show; unset: the system's",
                               &Settings::redis_ca));
    table.push_back(plain_text("RADSCHED_REDIS_CERT", "PEM file with the certificate shown to Redis",
                               &Settings::redis_certificate));
    table.push_back(plain_text("RADSCHED_REDIS_KEY", "PEM file with its key", &Settings::redis_key));
    table.push_back({"NODE_ENV", flag_of("NODE_ENV"), "development, production or test", false,
                     [](Settings& settings, const std::string& value) {
                         settings.node_env = value;
                         return one_of(value, {"development", "production", "test"});
                     },
                     [](const Settings& settings) { return settings.node_env; }});
    for (auto& option : access_options()) {
        table.push_back(std::move(option));
    }
    table.push_back(text("TWILIO_ACCOUNT_SID", "SMS; not used by this version", &Settings::twilio_account_sid, false));
    table.push_back(text("TWILIO_AUTH_TOKEN", "SMS; not used by this version", &Settings::twilio_auth_token, true));
    table.push_back(
        text("TWILIO_PHONE_NUMBER", "SMS; not used by this version", &Settings::twilio_phone_number, false));
    table.push_back(
        text("ANTHROPIC_API_KEY", "AI advice; not used by this version", &Settings::anthropic_api_key, true));

    table.push_back(host("RADSCHED_MLLP_HOST", "address of the MLLP listener", &Settings::mllp_host));
    table.push_back(port("RADSCHED_MLLP_PORT", "port of the MLLP listener", &Settings::mllp_port));
    table.push_back(size("RADSCHED_MLLP_MAX_FRAME", "largest message taken over MLLP", &Settings::mllp_max_frame, 1024,
                         256U << 20U));
    table.push_back(count("RADSCHED_MLLP_MAX_CONNECTIONS", "MLLP connections at the same time",
                          &Settings::mllp_max_connections, 1, 20000));
    table.push_back(count("RADSCHED_MLLP_MAX_PER_PEER", "MLLP connections from one address at the same time",
                          &Settings::mllp_max_per_peer, 1, 20000));
    table.push_back(size("RADSCHED_MLLP_MAX_MEMORY",
                         "memory for MLLP messages that have not arrived completely, in all",
                         &Settings::mllp_max_memory, 1U << 20U, std::size_t{64} << 30U));
    table.push_back(count("RADSCHED_MLLP_BATCH", "messages that wait together and share a transaction; 1: each its own",
                          &Settings::mllp_batch, 1, 1000));
    table.push_back(count("RADSCHED_MLLP_DB_SESSIONS",
                          "PostgreSQL connections that MLLP messages use at a time while none is held up by a lock",
                          &Settings::mllp_db_sessions, 1, 500));
    table.push_back(duration("RADSCHED_MLLP_START_TIMEOUT",
                             "an MLLP connection must bring its first message within this time",
                             &Settings::mllp_start_timeout, 1s, 24h));
    table.push_back(duration("RADSCHED_MLLP_WRITE_TIMEOUT", "a peer must take an answer within this time",
                             &Settings::mllp_write_timeout, 1s, 1h));
    table.push_back({"RADSCHED_MLLP_NETWORKS", flag_of("RADSCHED_MLLP_NETWORKS"),
                     "networks that may connect to the MLLP listener, separated by commas; unset: all", false,
                     read_networks, show_networks});
    table.push_back(plain_text("RADSCHED_MLLP_SITE",
                               "code of the site that the MLLP listener serves; unset: the sender decides",
                               &Settings::mllp_site));
    table.push_back({"RADSCHED_MLLP_PROFILE", flag_of("RADSCHED_MLLP_PROFILE"),
                     "profile, in JSON, of senders that are first heard of at the MLLP listener", false,
                     [](Settings& settings, const std::string& value) -> Rule {
                         settings.mllp_profile = value;
                         return mllp::is_profile(value)
                                    ? std::nullopt
                                    : Rule("it must be a JSON object such as {\"order_by\": \"arrival\"}");
                     },
                     [](const Settings& settings) { return settings.mllp_profile; }});
    table.push_back(plain_text("RADSCHED_MLLP_TLS_CERT",
                               "PEM file with the certificate of the MLLP listener; unset: plain",
                               &Settings::mllp_tls_certificate));
    table.push_back(plain_text("RADSCHED_MLLP_TLS_KEY", "PEM file with its key", &Settings::mllp_tls_key));
    table.push_back(plain_text("RADSCHED_MLLP_TLS_CLIENT_CA",
                               "PEM file with the CA of client certificates; set: every client needs one",
                               &Settings::mllp_tls_client_ca));
    table.push_back(
        plain_text("RADSCHED_MLLP_LISTENERS", "JSON file with further MLLP listeners", &Settings::mllp_listeners_file));
    table.push_back(plain_text("RADSCHED_LINK_TLS_DIR", "folder with the certificates and keys that links name",
                               &Settings::link_tls_folder));
    table.push_back(duration("RADSCHED_MLLP_IDLE_TIMEOUT",
                             "an MLLP connection without a message is closed after this time",
                             &Settings::mllp_idle_timeout, 1s, 8760h));
    table.push_back(duration("RADSCHED_MLLP_FRAME_TIMEOUT", "a message that has begun must be complete after this time",
                             &Settings::mllp_frame_timeout, 1s, 1h));
    table.push_back(host("RADSCHED_HTTP_HOST", "address of the HTTP listener", &Settings::http_host));
    table.push_back(port("RADSCHED_HTTP_PORT", "port of the HTTP listener", &Settings::http_port));
    table.push_back(size("RADSCHED_HTTP_MAX_BODY",
                         "largest JSON body taken over HTTP (raw HL7 follows RADSCHED_MLLP_MAX_FRAME)",
                         &Settings::http_max_body, 1024, 256U << 20U));
    table.push_back(count("RADSCHED_HTTP_MAX_CONNECTIONS", "HTTP connections at the same time",
                          &Settings::http_max_connections, 1, 20000));
    table.push_back(duration("RADSCHED_HTTP_TIMEOUT", "a request must arrive, and an answer leave, within this time",
                             &Settings::http_timeout, 1s, 10min));

    table.push_back(count("RADSCHED_DB_CONNECTIONS", "PostgreSQL connections for messages and requests",
                          &Settings::db_connections, 1, 500));
    table.push_back(duration("RADSCHED_DB_CONNECT_TIMEOUT", "time for one try to connect to PostgreSQL",
                             &Settings::db_connect_timeout, 100ms, 5min));
    table.push_back(duration("RADSCHED_DB_STATEMENT_TIMEOUT", "statement_timeout of our PostgreSQL sessions",
                             &Settings::db_statement_timeout, 100ms, 1h));
    table.push_back(duration("RADSCHED_DRAIN_TIMEOUT", "time to finish work in hand after SIGTERM",
                             &Settings::drain_timeout, 100ms, 10min));
    table.push_back({"RADSCHED_LOG_LEVEL", flag_of("RADSCHED_LOG_LEVEL"), "debug, info, warn or error", false,
                     [](Settings& settings, const std::string& value) {
                         for (std::size_t i = 0; i < level_names.size(); ++i) {
                             if (value == level_names[i]) {
                                 settings.log_level = static_cast<log::Level>(i);
                             }
                         }
                         return one_of(value, {"debug", "info", "warn", "error"});
                     },
                     [](const Settings& settings) {
                         return std::string(level_names[static_cast<std::size_t>(settings.log_level)]);
                     }});
    return table;
}

} // namespace

const std::vector<Option>& options() {
    static const std::vector<Option> table = make_options();
    return table;
}

std::string redact_url(std::string_view url) {
    if (url.empty()) {
        return {};
    }
    const auto scheme = url.find("://");
    if (scheme == std::string_view::npos) {
        return "(set)";
    }
    std::string shown(url.substr(0, scheme + 3));
    auto rest = url.substr(scheme + 3);
    const auto query = rest.find('?');
    const auto authority_and_path = rest.substr(0, query);
    const auto at = authority_and_path.rfind('@');
    if (at != std::string_view::npos) {
        const auto user = authority_and_path.substr(0, at);
        const auto colon = user.find(':');
        shown += user.substr(0, colon);
        shown += colon == std::string_view::npos ? "@" : ":***@";
        shown += authority_and_path.substr(at + 1);
    } else {
        shown += authority_and_path;
    }
    if (query == std::string_view::npos) {
        return shown;
    }
    // A query may hold password=...; only the values that say where the server is are shown.
    char separator = '?';
    rest = rest.substr(query + 1);
    while (!rest.empty()) {
        const auto pair = rest.substr(0, rest.find('&'));
        rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
        const auto name = pair.substr(0, pair.find('='));
        shown += separator;
        shown += name == "host" || name == "port" ? std::string(pair) : std::string(name) + "=***";
        separator = '&';
    }
    return shown;
}

} // namespace radscheduler::sidecar
