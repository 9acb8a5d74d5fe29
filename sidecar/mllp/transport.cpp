#include "mllp/transport.hpp"

#include <array>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <openssl/x509v3.h>
#include <spdlog/fmt/fmt.h>

#include "net/watchdog.hpp"

namespace radscheduler::sidecar::mllp {
namespace {

constexpr std::size_t chunk_size = 64U << 10U;
constexpr std::size_t tls_record = 16U << 10U;

// All plain connections read into one place: the bytes are used before anybody else reads.
std::array<char, chunk_size>& shared_chunk() {
    thread_local std::array<char, chunk_size> chunk;
    return chunk;
}

std::string fingerprint(X509* certificate) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int length = 0;
    std::string text = "sha256:";
    if (X509_digest(certificate, EVP_sha256(), digest.data(), &length) == 1) {
        for (unsigned int i = 0; i < length; ++i) {
            text += fmt::format("{:02x}", digest[i]);
        }
    }
    return text;
}

std::string text_of(const ASN1_STRING* value) {
    unsigned char* utf8 = nullptr;
    const int length = ASN1_STRING_to_UTF8(&utf8, value);
    if (length < 0) {
        return {};
    }
    std::string text(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(length));
    OPENSSL_free(utf8);
    return text;
}

} // namespace

Transport::Transport(tcp::socket socket, std::shared_ptr<ssl::context> context)
    : socket_(std::make_unique<tcp::socket>(std::move(socket))), context_(std::move(context)) {
    error_code ignored;
    socket_->non_blocking(true, ignored);
    if (context_) {
        tls_ = std::make_unique<ssl::stream<tcp::socket&>>(*socket_, *context_);
    }
}

Task<void> Transport::handshake(error_code& ec) {
    if (tls_) {
        co_await tls_->async_handshake(ssl::stream_base::server, into(ec));
    }
}

Task<std::string_view> Transport::read(error_code& ec) {
    if (tls_) {
        buffer_.resize(tls_record);
        const auto size = co_await tls_->async_read_some(asio::buffer(buffer_), into(ec));
        co_return std::string_view(buffer_.data(), size);
    }
    auto& chunk = shared_chunk();
    while (true) {
        co_await socket_->async_wait(tcp::socket::wait_read, into(ec));
        if (ec) {
            co_return std::string_view();
        }
        const auto size = socket_->read_some(asio::buffer(chunk), ec);
        if (ec != asio::error::would_block) {
            co_return std::string_view(chunk.data(), size);
        }
        ec.clear();
    }
}

Task<void> Transport::write(std::string_view bytes, error_code& ec) {
    const auto buffer = asio::buffer(bytes.data(), bytes.size());
    if (tls_) {
        co_await asio::async_write(*tls_, buffer, into(ec));
    } else {
        co_await asio::async_write(*socket_, buffer, into(ec));
    }
}

Task<void> Transport::close(Milliseconds limit) {
    if (tls_) {
        error_code ec;
        Watchdog watchdog(socket_->get_executor(), [this] { cancel(); });
        watchdog.arm(limit);
        co_await tls_->async_shutdown(into(ec));
        watchdog.disarm();
    }
    co_await linger_close(*socket_, limit);
}

void Transport::cancel() {
    error_code ignored;
    socket_->cancel(ignored);
}

ClientCertificate Transport::client() const {
    ClientCertificate client;
    if (!tls_) {
        return client;
    }
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(
        SSL_get1_peer_certificate(const_cast<ssl::stream<tcp::socket&>&>(*tls_).native_handle()), &X509_free);
    if (!certificate) {
        return client;
    }
    client.names.push_back(fingerprint(certificate.get()));
    const auto* subject = X509_get_subject_name(certificate.get());
    const int place = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (place >= 0) {
        client.names.push_back(text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, place))));
    }
    const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> others(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr)),
        &GENERAL_NAMES_free);
    for (int i = 0; others && i < sk_GENERAL_NAME_num(others.get()); ++i) {
        const auto* name = sk_GENERAL_NAME_value(others.get(), i);
        if (name->type == GEN_DNS) {
            client.names.push_back(text_of(name->d.dNSName));
        }
    }
    return client;
}

} // namespace radscheduler::sidecar::mllp
