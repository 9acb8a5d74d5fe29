#include "config/access_options.hpp"

#include "config/values.hpp"
#include "http/cors.hpp"

namespace radscheduler::sidecar {
namespace {

using Rule = std::optional<std::string>;

Option secret(const char* variable, const char* flag, const char* meaning,
              std::optional<std::string> Settings::*member) {
    return {variable,
            flag,
            meaning,
            true,
            [member](Settings& settings, const std::string& value) -> Rule {
                settings.*member = value;
                return std::nullopt;
            },
            [member](const Settings& settings) { return (settings.*member).value_or(""); }};
}

Option name(const char* variable, const char* flag, const char* meaning, std::string Settings::*member) {
    return {variable,
            flag,
            meaning,
            false,
            [member](Settings& settings, const std::string& value) -> Rule {
                settings.*member = value;
                return std::nullopt;
            },
            [member](const Settings& settings) { return settings.*member; }};
}

} // namespace

std::vector<Option> access_options() {
    std::vector<Option> table;
    table.push_back(secret("JWT_SECRET", "--jwt-secret",
                           "key that tokens of the HTTP API are signed with, 32 bytes at least",
                           &Settings::jwt_secret));
    table.push_back(secret("JWT_SECRET_PREVIOUS", "--jwt-secret-previous",
                           "the key before it, still believed while one takes over", &Settings::jwt_secret_previous));
    table.push_back({"RADSCHED_JWKS_FILE", "--jwks-file",
                     "public keys (JSON Web Key Set) of tokens that somebody else signs: RS256, ES256", false,
                     [](Settings& settings, const std::string& value) -> Rule {
                         settings.jwks_file = value;
                         return std::nullopt;
                     },
                     [](const Settings& settings) { return settings.jwks_file.value_or(""); }});
    table.push_back(name("RADSCHED_JWT_ISSUER", "--jwt-issuer", "iss that tokens must have", &Settings::jwt_issuer));
    table.push_back(
        name("RADSCHED_JWT_AUDIENCE", "--jwt-audience", "aud that tokens must have", &Settings::jwt_audience));
    table.push_back({"RADSCHED_AUTH", "--auth",
                     "auto (asked for in production and where there is a key for tokens), required or open", false,
                     [](Settings& settings, const std::string& value) -> Rule {
                         settings.auth = value;
                         return value == "auto" || value == "required" || value == "open"
                                    ? Rule()
                                    : Rule("it must be one of: auto, required, open");
                     },
                     [](const Settings& settings) { return settings.auth; }});
    table.push_back({"RADSCHED_BEHIND_PROXY", "--behind-proxy", "yes when a proxy in front of HTTP does TLS", false,
                     [](Settings& settings, const std::string& value) -> Rule {
                         settings.behind_proxy = value == "yes";
                         return value == "yes" || value == "no" ? Rule() : Rule("it must be yes or no");
                     },
                     [](const Settings& settings) { return std::string(settings.behind_proxy ? "yes" : "no"); }});
    table.push_back(name("RADSCHED_HTTP_TLS_CERT", "--http-tls-cert",
                         "PEM file with the certificate of the HTTP listener; unset: plain",
                         &Settings::http_tls_certificate));
    table.push_back(name("RADSCHED_HTTP_TLS_KEY", "--http-tls-key", "PEM file with its key", &Settings::http_tls_key));
    table.push_back({"RADSCHED_CORS_ORIGINS", "--cors-origins",
                     "origins whose pages may ask the HTTP API, separated by commas; unset: none", false,
                     [](Settings& settings, const std::string& value) -> Rule {
                         auto origins = http::read_origins(value);
                         settings.cors_origins = std::move(origins.list);
                         return origins.problem.empty() ? Rule() : Rule(origins.problem);
                     },
                     [](const Settings& settings) {
                         std::string shown;
                         for (const auto& origin : settings.cors_origins) {
                             shown += (shown.empty() ? "" : ",") + origin;
                         }
                         return shown;
                     }});
    table.push_back({"RADSCHED_RATE_LIMIT", "--rate-limit",
                     "requests a second of one user or key, and ten times that at once; 0: no limit", false,
                     [](Settings& settings, const std::string& value) -> Rule {
                         const auto number = read_number(value);
                         if (!number || *number > 100000) {
                             return "it must be a number from 0 to 100000";
                         }
                         settings.rate_limit = static_cast<std::size_t>(*number);
                         return std::nullopt;
                     },
                     [](const Settings& settings) { return std::to_string(settings.rate_limit); }});
    return table;
}

} // namespace radscheduler::sidecar
