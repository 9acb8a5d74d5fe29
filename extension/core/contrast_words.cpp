// Reading contrast words: each preposition (W, WO, PRE, POST, NO) with what stands behind it. Behind it stands an
// agent, or nothing (CT HEAD WO), or something that an exam is also done with (SEDATION); anything else is not
// understood.
#include "radscheduler/contrast_words.hpp"

#include "contrast_tokens.hpp"

#include <cstddef>

namespace radscheduler {

namespace {

using Token = ContrastToken;

class Reader {
public:
    explicit Reader(std::string_view text) : tokens_(contrast_tokens(text)) {}

    ContrastMeant read() {
        while (at_ < tokens_.size())
            take();
        if (told_ && (open_ || negated_)) return ContrastMeant::unknown;
        if (doubt_) return ContrastMeant::unknown;
        if (with_ && without_) return ContrastMeant::both;
        if (with_) return ContrastMeant::with;
        const bool never_without = joint_ || (implied_ && !magnetic_);
        if (without_) return never_without ? ContrastMeant::unknown : ContrastMeant::without;
        if (weak_doubt_) return ContrastMeant::unknown;
        return never_without ? ContrastMeant::with : ContrastMeant::none;
    }

private:
    Token at(std::size_t place) const { return place < tokens_.size() ? tokens_[place] : Token::pause; }

    static bool is_preposition(Token token) {
        return token == Token::with || token == Token::without || token == Token::both || token == Token::pre ||
               token == Token::post || token == Token::no;
    }

    void take() {
        const Token token = tokens_[at_];
        if (is_preposition(token)) {
            take_phrase();
            return;
        }
        switch (token) {
        case Token::agent:
        case Token::named_agent:
            take_agent(token == Token::named_agent);
            return;
        case Token::enhanced:
            with_ = told_ = true;
            break;
        case Token::plain:
            without_ = told_ = true;
            look_beside(at_, at_ + 1);
            break;
        case Token::dry:
            if (const Token next = at(at_ + 1); next == Token::pause || next == Token::scan || next == Token::magnetic)
                without_ = told_ = true;
            break;
        case Token::open:
            open_ = true;
            break;
        case Token::negation:
            negated_ = true;
            break;
        case Token::implied:
            implied_ = true;
            break;
        case Token::joint:
            joint_ = true;
            break;
        case Token::magnetic:
            magnetic_ = true;
            break;
        default:
            break;
        }
        ++at_;
    }

    // What stands right before or behind a phrase may leave it open.
    void look_beside(std::size_t first, std::size_t end) {
        told_ = true;
        std::size_t before = first;
        while (before > 0 && (tokens_[before - 1] == Token::filler || tokens_[before - 1] == Token::intravenous))
            --before;
        const Token left = before > 0 ? tokens_[before - 1] : Token::word;
        const Token right = at(end);
        if (left == Token::open_beside || right == Token::open_beside || left == Token::allergy ||
            right == Token::allergy || right == Token::either_join) {
            doubt_ = true;
        }
    }

    struct Phrase {
        bool with = false, without = false, pre = false, post = false, no = false;
        bool vein = false, other_route = false, either = false;
    };

    void note(Phrase& phrase, Token token) {
        phrase.with |= token == Token::with || token == Token::both;
        phrase.without |= token == Token::without || token == Token::both;
        phrase.pre |= token == Token::pre;
        phrase.post |= token == Token::post;
        phrase.no |= token == Token::no;
        phrase.vein |= token == Token::intravenous;
        phrase.other_route |= token == Token::other_route;
        phrase.either |= token == Token::either_join;
    }

    void take_phrase() {
        const std::size_t first = at_;
        Phrase phrase;
        for (; at_ < tokens_.size(); ++at_) {
            const Token token = tokens_[at_];
            if (!is_preposition(token) && token != Token::both_join && token != Token::either_join &&
                token != Token::filler && token != Token::intravenous && token != Token::other_route) {
                break;
            }
            note(phrase, token);
        }
        const Token object = at(at_);
        bool about = object == Token::agent || object == Token::named_agent || object == Token::enhanced ||
                     object == Token::plain;
        if (about) {
            // WITHOUT CONTRAST AND WITH CONTRAST: the next phrase is read by itself.
            while (at(at_) == Token::agent || at(at_) == Token::named_agent || at(at_) == Token::enhanced ||
                   at(at_) == Token::plain || at(at_) == Token::filler) {
                if (at(at_) == Token::plain) phrase.without = true;
                ++at_;
            }
        } else if (phrase.vein) {
            about = true;
            if (object == Token::word || object == Token::other) {
                weak_doubt_ = true; // NO IV ACCESS
                return;
            }
        } else if (phrase.other_route) {
            weak_doubt_ = weak_doubt_ || object == Token::pause;
            return;
        } else if (phrase.pre || phrase.post) {
            const bool alone = object == Token::pause || object == Token::magnetic || object == Token::scan;
            about = (phrase.with || phrase.without || (phrase.pre && phrase.post)) && alone;
        } else if (phrase.with || phrase.without) {
            about = object == Token::pause || object == Token::magnetic || object == Token::scan ||
                    object == Token::implied || object == Token::joint || object == Token::open ||
                    object == Token::open_beside || object == Token::negation;
            if (!about && object != Token::other) {
                if (phrase.either || object == Token::allergy || !(phrase.with && phrase.without)) {
                    weak_doubt_ = true;
                    return;
                }
                about = true; // MRI BRAIN W WO ORBITS
            }
        }
        if (!about) return;
        if (phrase.other_route && !phrase.vein) {
            weak_doubt_ = true; // barium or iodine, nobody knows
            told_ = true;
            return;
        }
        settle(phrase);
        look_beside(first, at_);
    }

    void settle(const Phrase& phrase) {
        told_ = true;
        if (phrase.either || (phrase.no && (phrase.with || phrase.without))) {
            doubt_ = true;
            return;
        }
        with_ |= phrase.with || phrase.post;
        without_ |= phrase.without || phrase.pre || phrase.no;
        if (phrase.pre && !phrase.post && !phrase.with) doubt_ = true; // before it is given, and then?
    }

    // An agent without a preposition before it.
    void take_agent(bool is_named) {
        const std::size_t first = at_;
        bool vein = false, other = false;
        for (std::size_t before = first; before > 0; --before) {
            const Token route = tokens_[before - 1];
            if (route != Token::intravenous && route != Token::other_route && route != Token::both_join) break;
            vein |= route == Token::intravenous;
            other |= route == Token::other_route;
        }
        while (at(at_) == Token::agent || at(at_) == Token::named_agent || at(at_) == Token::filler) {
            is_named |= at(at_) == Token::named_agent;
            ++at_;
        }
        look_beside(first, at_);
        std::size_t next = at_;
        while (next < tokens_.size() && tokens_[next] == Token::pause)
            ++next;
        const bool ends = at(next + 1) == Token::pause;
        if (next < tokens_.size() && tokens_[next] == Token::no && ends) {
            without_ = true;
            at_ = next + 1;
        } else if (next < tokens_.size() && tokens_[next] == Token::yes && ends) {
            with_ = true;
            at_ = next + 1;
        } else if (at(at_) == Token::enhanced) {
            with_ = true;
        } else if (vein || (is_named && !other)) {
            with_ = true;
        } else {
            weak_doubt_ = true;
        }
    }

    std::vector<Token> tokens_;
    std::size_t at_ = 0;
    bool with_ = false, without_ = false;
    bool told_ = false;       // something is said about contrast
    bool doubt_ = false;      // and contradicts itself or is left open
    bool weak_doubt_ = false; // counts where nothing else is said
    bool open_ = false, negated_ = false;
    bool implied_ = false, joint_ = false, magnetic_ = false;
};

} // namespace

ContrastMeant contrast_meant(std::string_view text) {
    return Reader(text).read();
}

std::string_view name_of(ContrastMeant meant) {
    switch (meant) {
    case ContrastMeant::none:
        return "none";
    case ContrastMeant::with:
        return "with";
    case ContrastMeant::without:
        return "without";
    case ContrastMeant::both:
        return "both";
    case ContrastMeant::unknown:
        break;
    }
    return "unknown";
}

} // namespace radscheduler
