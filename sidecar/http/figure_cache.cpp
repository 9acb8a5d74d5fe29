#include "http/figure_cache.hpp"

#include "http/cached_figures.hpp"
#include "http/in_the_name_of.hpp"

namespace radscheduler::sidecar::http {
namespace {

const db::RunOptions place_run{Milliseconds(1000), db::WhenDown::fail, Milliseconds(0)};

Response from_figures(CachedFigures figures) {
    Response response;
    response.body = Payload(std::move(figures.body));
    response.headers.emplace_back("Age", std::to_string(figures.age));
    return response;
}

} // namespace

Task<std::optional<Response>> FigureCache::answer(const Request& request, std::string_view name) {
    if (!reader_->connected()) {
        counters_.cache_away.add();
        co_return std::nullopt;
    }
    auto params = in_the_name_of(request.principal, request.trace_id);
    const std::string wanted(name);
    params.push_back(db::Param::text(wanted));
    const auto result = co_await db::run(pool_, db::StatementId::aggregate_place, params, place_run);
    const auto* rows = std::get_if<db::Rows>(&result);
    if (rows == nullptr || rows->count() != 1 || !rows->text(0, 0)) {
        co_return std::nullopt; // the question itself says what is wrong
    }
    CachePlace place;
    place.key = rows->text_or(0, 0, "");
    place.mark = rows->text_or(0, 1, "");
    place.seconds = rows->number(0, 2);
    const auto found = co_await reader_->get(place.key);
    if (found.kind != redis::Found::Kind::value) {
        (found.kind == redis::Found::Kind::absent ? counters_.cache_misses : counters_.cache_away).add();
        co_return std::nullopt;
    }
    auto figures = read_cached_figures(found.text, place);
    if (!figures) {
        counters_.cache_unusable.add();
        co_return std::nullopt;
    }
    counters_.cache_hits.add();
    co_return from_figures(std::move(*figures));
}

} // namespace radscheduler::sidecar::http
