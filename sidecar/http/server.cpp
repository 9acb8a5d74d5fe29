#include "http/server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include "http/problem.hpp"
#include "obs/log.hpp"

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

} // namespace

class Server::Session {
public:
    Session(tcp::socket socket, const ServerOptions& options, std::shared_ptr<Api> api, Counters& counters)
        : stream_(std::move(socket)), peer_(peer_address(stream_.socket())), options_(options), api_(std::move(api)),
          counters_(counters) {}

    void request_stop() {
        stopping_ = true;
        if (idle_) {
            stream_.cancel();
        }
    }

    Task<void> run() {
        bool keep_alive = true;
        while (keep_alive && !stopping_) {
            keep_alive = co_await one_request();
        }
        if (unread_) {
            co_await linger_close(stream_.socket(), linger);
        }
        stream_.close();
    }

private:
    using Parser = bhttp::request_parser<bhttp::string_body>;

    // Reads and answers one request. False when the connection is to be closed.
    Task<bool> one_request() {
        Parser parser;
        parser.header_limit(header_limit);
        parser.body_limit(boost::none); // set below, when the route is known
        error_code ec;
        stream_.expires_after(options_.timeout);
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
        auto response = refuse_by_header(match, parser);
        Request request;
        if (!response) {
            request.peer = peer_;
            auto admission =
                co_await api_->door().admit(std::string(view(parser.get()[bhttp::field::authorization])),
                                            std::string(view(parser.get()["X-API-Key"])), match.scope, peer_);
            if (auto* refused = std::get_if<Response>(&admission)) {
                response = std::move(*refused);
            } else {
                request.principal = std::get<auth::Principal>(std::move(admission));
            }
        }
        if (!response) {
            const auto limit = body_limit(match.body);
            parser.body_limit(limit);
            ec = co_await read_body(parser);
            if (ec == bhttp::error::body_limit) {
                response = too_large(limit);
            } else if (ec) {
                co_return false;
            }
        }
        stream_.expires_never(); // the database has its own deadlines
        if (!response) {
            request.route = match.route;
            request.query = Payload(std::string(match.query));
            request.media_type = media_type(view(parser.get()[bhttp::field::content_type]));
            request.accept = std::string(view(parser.get()[bhttp::field::accept]));
            request.body = Payload(std::move(parser.get().body()));
            response = co_await api_->handle(request);
        }
        // A body that was not read would be taken for the next request.
        unread_ = !parser.is_done();
        const bool keep_alive = parser.keep_alive() && !unread_ && !stopping_;
        const bool sent = co_await write(*response, parser.get().version(), keep_alive, match.head);
        if (response->status >= 500) {
            counters_.http_errors.add();
        }
        log::info("http.request", "answered",
                  {{"method", view(parser.get().method_string())},
                   {"route", match.path.empty() ? "(none)" : match.path},
                   {"principal", request.principal.name},
                   {"status", response->status},
                   {"bytes", response->body.size()},
                   {"sent", sent},
                   {"duration_ms", std::chrono::duration<double, std::milli>(Clock::now() - started).count()}});
        co_return sent&& keep_alive;
    }

    // The answer that the header alone already decides, if any.
    std::optional<Response> refuse_by_header(const Match& match, const Parser& parser) const {
        if (match.kind == Match::Kind::not_found) {
            return not_found();
        }
        if (match.kind == Match::Kind::method_not_allowed) {
            return method_not_allowed(match);
        }
        const auto& header = parser.get();
        const bool encoded = header.find(bhttp::field::content_encoding) != header.end() &&
                             view(header[bhttp::field::content_encoding]) != "identity";
        if (match.body != BodyKind::none &&
            (encoded || !takes(match.body, media_type(view(header[bhttp::field::content_type]))))) {
            return unsupported_media_type(match.body);
        }
        const auto limit = body_limit(match.body);
        if (parser.content_length() && *parser.content_length() > limit) {
            return too_large(limit);
        }
        return std::nullopt;
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
        co_await write(response, 11, false, false);
        co_return false;
    }

    Task<bool> write(const Response& response, unsigned version, bool keep_alive, bool head) {
        bhttp::response<bhttp::string_body> message;
        message.version(version);
        message.result(response.status);
        message.keep_alive(keep_alive);
        message.set(bhttp::field::server, "radschedulerd");
        message.set(bhttp::field::content_type, response.content_type);
        // Everything here may hold patient data or changes by the second.
        message.set(bhttp::field::cache_control, "no-store");
        message.set("X-Content-Type-Options", "nosniff");
        message.set("Referrer-Policy", "no-referrer");
        message.set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
        for (const auto& [name, value] : response.headers) {
            message.set(name, value);
        }
        error_code ec;
        stream_.expires_after(options_.timeout);
        message.body() = head ? std::string() : std::string(response.body.view());
        if (head) {
            message.content_length(response.body.size());
        } else {
            message.prepare_payload();
        }
        co_await bhttp::async_write(stream_, message, into(ec));
        co_return !ec;
    }

    beast::tcp_stream stream_;
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
    auto listening = listen_on(executor_, options_.host, options_.port);
    acceptor_ = std::move(listening.acceptor);
    return listening.problem;
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
        auto session = std::make_shared<Session>(std::move(socket), options_, api_, counters_);
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
