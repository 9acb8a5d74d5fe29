#include "mllp/tls.hpp"

namespace radscheduler::sidecar::mllp {

TlsLoaded load_tls(const TlsFiles& files) {
    namespace ssl = boost::asio::ssl;
    boost::system::error_code ec;
    auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
    auto* native = context->native_handle();
    SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
    SSL_CTX_set_options(native,
                        SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS); // idle connections are cheap
    SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
    const auto failed = [&](const std::string& file) { return TlsLoaded{nullptr, file + ": " + ec.message()}; };
    context->use_certificate_chain_file(files.certificate, ec);
    if (ec) {
        return failed(files.certificate);
    }
    context->use_private_key_file(files.key, ssl::context::pem, ec);
    if (ec) {
        return failed(files.key);
    }
    if (SSL_CTX_check_private_key(native) != 1) {
        return {nullptr, files.key + ": it is not the key of " + files.certificate};
    }
    if (!files.client_ca.empty()) {
        context->load_verify_file(files.client_ca, ec);
        if (ec) {
            return failed(files.client_ca);
        }
        context->set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert, ec);
        // The client may be told whose certificates are taken.
        SSL_CTX_set_client_CA_list(native, SSL_load_client_CA_file(files.client_ca.c_str()));
    }
    return {std::move(context), {}};
}

} // namespace radscheduler::sidecar::mllp
