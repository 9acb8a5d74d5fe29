#include "redis/tls.hpp"

namespace radscheduler::sidecar::redis {

TlsMade make_tls(const TlsFiles& files) {
    namespace ssl = boost::asio::ssl;
    boost::system::error_code ec;
    auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
    SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
    context->set_verify_mode(ssl::verify_peer, ec);
    if (files.ca.empty()) {
        context->set_default_verify_paths(ec);
    } else {
        context->load_verify_file(files.ca, ec);
    }
    if (ec) {
        return {nullptr,
                (files.ca.empty() ? std::string("the certificates of the system") : files.ca) + ": " + ec.message()};
    }
    if (files.certificate.empty()) {
        return {std::move(context), {}};
    }
    context->use_certificate_chain_file(files.certificate, ec);
    if (ec) {
        return {nullptr, files.certificate + ": " + ec.message()};
    }
    const auto& key = files.key.empty() ? files.certificate : files.key;
    context->use_private_key_file(key, ssl::context::pem, ec);
    if (ec) {
        return {nullptr, key + ": " + ec.message()};
    }
    return {std::move(context), {}};
}

} // namespace radscheduler::sidecar::redis
