// Everything the daemon can be told, with its defaults. Filled by config/load.hpp; read-only afterwards.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mllp/listener.hpp"
#include "obs/log.hpp"

namespace radscheduler::sidecar {

struct Settings {
    // The guide's variables
    std::string database_url;
    std::optional<std::string> redis_url;
    std::string redis_ca; // PEM files, for rediss://
    std::string redis_certificate;
    std::string redis_key;
    std::string node_env = "development";
    std::optional<std::string> jwt_secret;
    std::optional<std::string> jwt_secret_previous;
    std::optional<std::string> twilio_account_sid;
    std::optional<std::string> twilio_auth_token;
    std::optional<std::string> twilio_phone_number;
    std::optional<std::string> anthropic_api_key;

    // Listeners
    std::string mllp_host = "0.0.0.0";
    std::uint16_t mllp_port = 8661;
    std::size_t mllp_max_frame = 16U << 20U;
    std::size_t mllp_max_connections = 1000;
    std::size_t mllp_max_per_peer = 1000;
    std::size_t mllp_max_memory = 256U << 20U;
    std::size_t mllp_batch = 50;
    std::size_t mllp_db_sessions = 2;
    std::chrono::milliseconds mllp_start_timeout = std::chrono::minutes(5);
    std::chrono::milliseconds mllp_write_timeout = std::chrono::seconds(30);
    std::vector<std::string> mllp_networks;
    std::string mllp_site;
    std::string mllp_profile;
    std::string mllp_tls_certificate;
    std::string mllp_tls_key;
    std::string mllp_tls_client_ca;
    std::string mllp_listeners_file;
    std::vector<mllp::Listener> mllp_listeners; // all of them, the one of the variables first
    std::chrono::milliseconds mllp_idle_timeout = std::chrono::hours(24);
    std::chrono::milliseconds mllp_frame_timeout = std::chrono::seconds(60);
    std::string link_tls_folder;
    std::string http_host = "0.0.0.0";
    std::uint16_t http_port = 3001;
    std::size_t http_max_body = 1U << 20U;
    std::size_t http_max_connections = 1000;
    std::chrono::milliseconds http_timeout = std::chrono::seconds(30);
    std::string http_tls_certificate;
    std::string http_tls_key;
    std::vector<std::string> cors_origins;

    // Who may come in (auth/policy.hpp)
    std::string auth = "auto"; // auto, required or open
    std::optional<std::string> jwks_file;
    std::string jwt_issuer = "radscheduler";
    std::string jwt_audience = "radscheduler-users";
    bool behind_proxy = false;    // a proxy in front does TLS
    std::size_t rate_limit = 100; // requests a second of one principal; 0: none

    // PostgreSQL
    std::size_t db_connections = 8;
    std::chrono::milliseconds db_connect_timeout = std::chrono::seconds(5);
    std::chrono::milliseconds db_statement_timeout = std::chrono::seconds(30);

    std::chrono::milliseconds drain_timeout = std::chrono::seconds(10);
    log::Level log_level = log::Level::info;
};

} // namespace radscheduler::sidecar
