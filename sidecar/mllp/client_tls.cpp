#include "mllp/client_tls.hpp"

namespace radscheduler::sidecar::mllp {

std::variant<std::shared_ptr<asio::ssl::context>, std::string> make_client_tls(const ClientTls& options) {
    auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
    context->set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1);
    error_code ec;
    if (options.verify) {
        context->set_verify_mode(asio::ssl::verify_peer, ec);
        if (options.ca.empty()) {
            context->set_default_verify_paths(ec);
        } else {
            context->load_verify_file(options.ca, ec);
        }
        if (ec) {
            return "the certificates to believe (" + options.ca + ") cannot be read: " + ec.message();
        }
    }
    if (!options.certificate.empty()) {
        context->use_certificate_chain_file(options.certificate, ec);
        if (ec) {
            return "the certificate (" + options.certificate + ") cannot be read: " + ec.message();
        }
        const auto& key = options.key.empty() ? options.certificate : options.key;
        context->use_private_key_file(key, asio::ssl::context::pem, ec);
        if (ec) {
            return "the key (" + key + ") cannot be read or is not that of the certificate: " + ec.message();
        }
    }
    return context;
}

} // namespace radscheduler::sidecar::mllp
