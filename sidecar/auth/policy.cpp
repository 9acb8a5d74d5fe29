#include "auth/policy.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>

#include <boost/asio/ip/address.hpp>

#include "auth/key_set.hpp"

namespace radscheduler::sidecar::auth {
namespace {

constexpr std::size_t shortest_secret = 32;
constexpr std::array<std::string_view, 6> published{"radscheduler-secret-key-change-in-production",
                                                    "hackathon_secret_change_in_production",
                                                    "your-secret-key",
                                                    "your_jwt_secret_here",
                                                    "your-256-bit-secret",
                                                    "a-string-secret-at-least-256-bits-long"};

bool is_loopback(const std::string& host) {
    boost::system::error_code ec;
    const auto address = boost::asio::ip::make_address(host, ec);
    return !ec && address.is_loopback();
}

void judge_secret(std::string_view variable, const std::string& secret, bool production, Judgement& judgement) {
    if (is_published(secret)) {
        judgement.problems.push_back(std::string(variable) +
                                     " is a value out of public examples: anybody can sign tokens with it. Make a new "
                                     "one with: openssl rand -hex 32");
    } else if (secret.size() < shortest_secret) {
        auto sentence =
            std::string(variable) +
            " is shorter than 32 bytes, so it can be guessed from a token. Make a new one with: openssl rand -hex 32";
        (production ? judgement.problems : judgement.warnings).push_back(std::move(sentence));
    }
}

} // namespace

bool is_required(const Settings& settings) {
    if (settings.auth == "required" || settings.auth == "open") {
        return settings.auth == "required";
    }
    return settings.node_env == "production" || settings.jwt_secret || settings.jwks_file;
}

bool is_published(std::string_view secret) {
    return std::any_of(published.begin(), published.end(), [secret](auto one) { return secret == one; });
}

std::string read_document(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Judgement judge(const Settings& settings) {
    Judgement judgement;
    const bool production = settings.node_env == "production";
    if (settings.jwt_secret) {
        judge_secret("JWT_SECRET", *settings.jwt_secret, production, judgement);
    }
    if (settings.jwt_secret_previous) {
        judge_secret("JWT_SECRET_PREVIOUS", *settings.jwt_secret_previous, production, judgement);
    }
    if (settings.jwks_file) {
        KeySet keys;
        add_jwks(keys, read_document(*settings.jwks_file));
        if (!keys.problem.empty()) {
            judgement.problems.push_back("RADSCHED_JWKS_FILE cannot be used: " + keys.problem +
                                         ". Correct the file, or its path and rights.");
        }
    }
    if (production && settings.auth == "open") {
        judgement.problems.push_back("RADSCHED_AUTH=open lets everybody in, and NODE_ENV=production does not take "
                                     "that. Leave RADSCHED_AUTH unset.");
    }
    if (production && !is_loopback(settings.http_host) && !settings.behind_proxy &&
        settings.http_tls_certificate.empty()) {
        judgement.problems.push_back("HTTP without TLS would carry patient data over the network in the clear. Set "
                                     "RADSCHED_HTTP_TLS_CERT and RADSCHED_HTTP_TLS_KEY, or put a proxy that does TLS "
                                     "in front and either bind RADSCHED_HTTP_HOST to 127.0.0.1 or say "
                                     "RADSCHED_BEHIND_PROXY=yes.");
    }
    if (!is_required(settings)) {
        judgement.warnings.push_back(
            "The HTTP API is OPEN: everybody who reaches port " + std::to_string(settings.http_port) +
            " reads and writes the schedule. Set JWT_SECRET or RADSCHED_AUTH=required to close it.");
    } else if (!settings.jwt_secret && !settings.jwks_file) {
        judgement.warnings.push_back("JWT_SECRET is not set: nobody can sign in with a password, only API keys open "
                                     "the HTTP API (radschedulerd key add).");
    }
    return judgement;
}

} // namespace radscheduler::sidecar::auth
