#include "http/server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include "http/cors.hpp"
#include "http/gzip.hpp"
#include "http/negotiation.hpp"
#include "http/problem.hpp"
#include "http/router.hpp"
#include "http/stream.hpp"
#include "http/trace.hpp"
#include "mllp/tls.hpp"
#include "obs/log.hpp"
#include "obs/text.hpp"

namespace radscheduler::sidecar::http {
namespace {

namespace beast = boost::beast;
namespace bhttp = boost::beast::http;

constexpr std::uint32_t header_limit = 16U << 10U;
constexpr Milliseconds linger{2000};
constexpr Milliseconds pause_after_accept_error{100};

std::string_view view(beast::string_view text) {
    return {text.data(), text.size()};
}

// Signed-in answers hold secrets, and a secret beside what a page chose must not be compressed with it.
bool may_shrink(const Route* route, const Response& response) {
    return response.body.size() >= shortest_to_compress && (route == nullptr || route->id != RouteId::login);
}

} // namespace

class Server::Session {
public:
    Session(tcp::socket socket, std::shared_ptr<asio::ssl::context> tls, const ServerOptions& options,
            std::shared_ptr<Api> api, Counters& counters)
        : stream_(std::move(socket), std::move(tls)), peer_(peer_address(stream_.next_layer().socket())),
          options_(options), api_(std::move(api)), counters_(counters) {}

    void request_stop() {
        stopping_ = true;
        if (idle_) {
            stream_.next_layer().cancel();
        }
    }

    Task<void> run() {
        bool keep_alive = co_await greet();
        while (keep_alive && !stopping_) {
            keep_alive = co_await one_request();
        }
        if (unread_) {
            co_await linger_close(stream_.next_layer().socket(), linger);
        } else {
            stream_.next_layer().expires_after(linger);
            co_await stream_.shutdown();
        }
        stream_.next_layer().close();
    }

private:
    using Parser = bhttp::request_parser<bhttp::string_body>;

    // The TLS handshake, where there is one. False when it fails.
    Task<bool> greet() {
        error_code ec;
        stream_.next_layer().expires_after(options_.timeout);
        co_await stream_.handshake(ec);
        if (ec) {
            log::info("http.tls_failed", "a TLS handshake failed", {{"peer", peer_}, {"reason", ec.message()}});
        }
        co_return !ec;
    }

    // Reads and answers one request. False when the connection is to be closed.
    Task<bool> one_request() {
        Parser parser;
        parser.header_limit(header_limit);
        parser.body_limit(boost::none); // set below, when the route is known
        error_code ec;
        stream_.next_layer().expires_after(options_.timeout);
        idle_ = true;
        co_await bhttp::async_read_header(stream_, buffer_, parser, into(ec));
        idle_ = false;
        if (ec) {
            co_return co_await answer_unreadable(ec);
        }
        const auto started = Clock::now();
        counters_.http_requests.add();
        const auto target = std::string(view(parser.get().target()));
        const auto match = http::match(view(parser.get().method_string()), target);
        Request request;
        request.route = match.route;
        request.peer = peer_;
        request.trace_id = trace_id_of(header(parser, "traceparent"));
        const bool framed = is_well_framed(parser);
        auto response = framed ? answer_by_header(match, parser) : std::optional<Response>(badly_framed());
        if (!response) {
            auto admission =
                co_await api_->door().admit(std::string(header(parser, "Authorization")),
                                            std::string(header(parser, "X-API-Key")), match.route->scope, peer_);
            if (auto* refused = std::get_if<Response>(&admission)) {
                response = std::move(*refused);
            } else {
                request.principal = std::get<auth::Principal>(std::move(admission));
            }
        }
        if (!response) {
            const auto limit = body_limit(match.route->body);
            parser.body_limit(limit);
            ec = co_await read_body(parser);
            if (ec == bhttp::error::body_limit) {
                response = too_large(limit);
            } else if (ec) {
                co_return false;
            }
        }
        stream_.next_layer().expires_never(); // the database has its own deadlines
        if (!response) {
            fill(request, match, parser);
            response = co_await api_->handle(request);
        }
        // A body that was not read would be taken for the next request.
        unread_ = !parser.is_done() || !framed;
        const bool keep_alive = parser.keep_alive() && !unread_ && !stopping_;
        const bool sent = co_await write(*response, parser, match, keep_alive);
        if (response->status >= 500) {
            counters_.http_errors.add();
        }
        const auto took = std::chrono::duration<double>(Clock::now() - started).count();
        counters_.http.note({match.path.empty() ? "(none)" : match.path,
                             match.route == nullptr ? "(other)" : match.route->method, response->status},
                            took);
        const bool probe = match.route != nullptr && match.route->scope.empty() && response->status < 400;
        log::write(probe ? log::Level::debug : log::Level::info, "http.request", "answered",
                   {{"method", view(parser.get().method_string())},
                    {"route", match.path.empty() ? "(none)" : match.path},
                    {"principal", request.principal.name},
                    {"trace_id", request.trace_id},
                    {"status", response->status},
                    {"bytes", response->body.size()},
                    {"sent", sent},
                    {"duration_ms", took * 1000}});
        co_return sent&& keep_alive;
    }

    // Whether everybody on the way reads the same length: one number, or chunks and nothing else (RFC 9112, 6.3).
    static bool is_well_framed(const Parser& parser) {
        const auto coding = header(parser, "Transfer-Encoding");
        const auto length = header(parser, "Content-Length");
        return (coding.empty() || (beast::iequals(trim(coding), "chunked") && length.empty())) &&
               length.find(',') == std::string_view::npos;
    }

    static Response badly_framed() {
        return problem(400, "bad_request", "Bad request",
                       "Where the body ends is not clear. Send one Content-Length, or Transfer-Encoding: chunked alone.");
    }

    static std::string_view header(const Parser& parser, beast::string_view name) { return view(parser.get()[name]); }

    static void fill(Request& request, const Match& match, Parser& parser) {
        request.params = match.params;
        request.path = std::string(match.sent);
        request.query = Payload(std::string(match.query));
        request.media_type = media_type(header(parser, "Content-Type"));
        request.accept = std::string(header(parser, "Accept"));
        request.if_match = std::string(header(parser, "If-Match"));
        request.if_none_match = std::string(header(parser, "If-None-Match"));
        request.prefer = std::string(header(parser, "Prefer"));
        request.idempotency_key = std::string(header(parser, "Idempotency-Key"));
        request.body = Payload(std::move(parser.get().body()));
    }

    // The answer that the header alone already decides, if any.
    std::optional<Response> answer_by_header(const Match& match, const Parser& parser) const {
        switch (match.kind) {
        case Match::Kind::not_found:
            return not_found();
        case Match::Kind::method_not_allowed:
            return method_not_allowed(match);
        case Match::Kind::bad_path:
            return bad_path();
        case Match::Kind::options:
            return allowed_methods(match, parser);
        case Match::Kind::found:
            break;
        }
        const auto& route = *match.route;
        if (!accepts_answer(header(parser, "Accept"), route.answer)) {
            return not_acceptable(route.answer);
        }
        const auto encoding = header(parser, "Content-Encoding");
        const bool encoded = !encoding.empty() && encoding != "identity";
        if (route.body != BodyKind::none &&
            (encoded || !takes(route.body, media_type(header(parser, "Content-Type"))))) {
            return unsupported_media_type(route.body);
        }
        const auto limit = body_limit(route.body);
        if (parser.content_length() && *parser.content_length() > limit) {
            return too_large(limit);
        }
        return std::nullopt;
    }

    Response allowed_methods(const Match& match, const Parser& parser) const {
        Response response;
        response.status = 204;
        response.content_type.clear();
        response.headers.emplace_back("Allow", match.allow);
        if (!header(parser, "Access-Control-Request-Method").empty()) {
            auto preflight = preflight_headers(options_.cors_origins, header(parser, "Origin"), match.allow);
            response.headers.insert(response.headers.end(), preflight.begin(), preflight.end());
        }
        return response;
    }

    std::size_t body_limit(BodyKind kind) const {
        return kind == BodyKind::hl7 ? options_.max_hl7_body : options_.max_json_body;
    }

    Task<error_code> read_body(Parser& parser) {
        error_code ec;
        if (beast::iequals(parser.get()[bhttp::field::expect], "100-continue")) {
            bhttp::response<bhttp::empty_body> go_on(bhttp::status::continue_, parser.get().version());
            co_await bhttp::async_write(stream_, go_on, into(ec));
        }
        if (!ec && !parser.is_done()) {
            co_await bhttp::async_read(stream_, buffer_, parser, into(ec));
        }
        co_return ec;
    }

    // The peer is told what is wrong with what it sent, unless it has simply gone.
    Task<bool> answer_unreadable(error_code ec) {
        const bool gone = ec == bhttp::error::end_of_stream || ec == beast::error::timeout ||
                          ec == asio::error::operation_aborted || ec == asio::error::connection_reset ||
                          ec == asio::error::eof || ec == bhttp::error::partial_message;
        if (gone) {
            co_return false;
        }
        counters_.http_requests.add();
        const bool header_too_large = ec == bhttp::error::header_limit;
        const auto response =
            header_too_large
                ? problem(431, "header_too_large", "Header too large", "The request's header is larger than 16 KiB.")
                : problem(400, "bad_request", "Bad request", "This is not a well-formed HTTP/1.1 request.");
        log::warn("http.unreadable", "a request could not be read", {{"reason", ec.message()}});
        unread_ = true;
        bhttp::response<bhttp::string_body> message;
        message.version(11);
        set_headers(message, response);
        message.keep_alive(false);
        message.body() = std::string(response.body.view());
        message.prepare_payload();
        stream_.next_layer().expires_after(options_.timeout);
        co_await bhttp::async_write(stream_, message, into(ec));
        co_return false;
    }

    void set_headers(bhttp::response<bhttp::string_body>& message, const Response& response) {
        message.result(response.status);
        message.set(bhttp::field::server, "radschedulerd");
        if (!response.content_type.empty()) {
            message.set(bhttp::field::content_type, response.content_type);
        }
        // Everything here may hold patient data or changes by the second.
        message.set(bhttp::field::cache_control, "no-store");
        message.set("X-Content-Type-Options", "nosniff");
        message.set("Referrer-Policy", "no-referrer");
        message.set("X-Frame-Options", "DENY");
        message.set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
        if (stream_.is_tls()) {
            message.set("Strict-Transport-Security", "max-age=31536000");
        }
        for (const auto& [name, value] : response.headers) {
            message.set(name, value);
        }
    }

    Task<bool> write(const Response& response, const Parser& parser, const Match& match, bool keep_alive) {
        bhttp::response<bhttp::string_body> message;
        message.version(parser.get().version());
        set_headers(message, response);
        message.keep_alive(keep_alive);
        for (const auto& [name, value] : cors_headers(options_.cors_origins, header(parser, "Origin"))) {
            message.insert(name, value);
        }
        const bool bodiless = response.status == 204 || response.status == 304;
        std::string body(bodiless ? std::string_view() : response.body.view());
        if (!bodiless && may_shrink(match.route, response)) {
            message.insert(bhttp::field::vary, "Accept-Encoding");
            auto packed = accepts_gzip(header(parser, "Accept-Encoding")) ? gzip(body) : std::string();
            if (!packed.empty()) {
                message.set(bhttp::field::content_encoding, "gzip");
                body = std::move(packed);
            }
        }
        if (!bodiless) {
            message.content_length(body.size());
        }
        if (!match.head) {
            message.body() = std::move(body);
        }
        error_code ec;
        stream_.next_layer().expires_after(options_.timeout);
        co_await bhttp::async_write(stream_, message, into(ec));
        co_return !ec;
    }

    Stream stream_;
    std::string peer_; // address without port
    beast::flat_buffer buffer_;
    const ServerOptions& options_;
    std::shared_ptr<Api> api_;
    Counters& counters_;
    bool idle_ = false;
    bool unread_ = false; // the peer may still be sending something that we do not read
    bool stopping_ = false;
};

Server::Server(asio::any_io_executor executor, ServerOptions options, std::shared_ptr<Api> api, Counters& counters)
    : executor_(std::move(executor)), options_(std::move(options)), api_(std::move(api)), counters_(counters) {}

Server::~Server() = default;

std::string Server::listen() {
    if (!options_.tls.certificate.empty()) {
        auto loaded = mllp::load_tls(options_.tls);
        if (!loaded.context) {
            return loaded.problem;
        }
        tls_ = std::move(loaded.context);
    }
    auto listening = listen_on(executor_, options_.host, options_.port);
    acceptor_ = std::move(listening.acceptor);
    return listening.problem;
}

void Server::reload() {
    if (options_.tls.certificate.empty()) {
        return;
    }
    auto loaded = mllp::load_tls(options_.tls);
    if (loaded.context) {
        tls_ = std::move(loaded.context);
        log::info("http.certificate", "the certificate was read again");
    } else {
        log::error("http.certificate_failed", "the certificate could not be read again; the old one stays",
                   {{"reason", loaded.problem}});
    }
}

void Server::start() {
    asio::co_spawn(
        executor_, [self = shared_from_this()] { return self->accept_loop(); }, asio::detached);
}

void Server::stop() {
    error_code ignored;
    acceptor_->close(ignored);
    for (const auto& session : sessions_) {
        session->request_stop();
    }
}

std::size_t Server::open() const {
    return sessions_.size();
}

Task<void> Server::accept_loop() {
    const auto self = shared_from_this();
    while (acceptor_->is_open()) {
        error_code ec;
        tcp::socket socket(executor_);
        co_await acceptor_->async_accept(socket, into(ec));
        if (!acceptor_->is_open()) {
            break;
        }
        if (ec) {
            log::warn("http.accept_failed", "a connection could not be accepted; trying on",
                      {{"reason", ec.message()}});
            asio::steady_timer pause(executor_, pause_after_accept_error);
            co_await pause.async_wait(into(ec));
            continue;
        }
        if (sessions_.size() >= options_.max_connections) {
            log::warn("http.refused", "too many HTTP connections (RADSCHED_HTTP_MAX_CONNECTIONS); this one was closed",
                      {{"peer", peer_name(socket)}, {"open", sessions_.size()}});
            continue;
        }
        tune(socket);
        auto session = std::make_shared<Session>(std::move(socket), tls_, options_, api_, counters_);
        sessions_.insert(session);
        asio::co_spawn(
            executor_, [self, session] { return self->serve(session); }, asio::detached);
    }
}

Task<void> Server::serve(std::shared_ptr<Session> session) {
    counters_.http_connections_now.add();
    co_await session->run();
    counters_.http_connections_now.remove();
    sessions_.erase(session);
}

} // namespace radscheduler::sidecar::http
