"""Names of shortcodes, by what is to be done with them."""

from __future__ import annotations

import re


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


PLAYERS = {
    "youtube": "https://www.youtube.com/watch?v={}",
    "vimeo": "https://vimeo.com/{}",
    "dailymotion": "https://www.dailymotion.com/video/{}",
}
"""Players that may be given the number of a film only, and its address."""

LINKS = _names("""
    embed audio video playlist wpvideo videopress soundcloud googlevideo google-video twitter tweet
    facebook instagram telegram vk flickr slideshare scribd ted kickstarter spotify bandcamp
    gist iframe googlemaps
""") | frozenset(PLAYERS)
"""What shows something from elsewhere: it becomes a link."""

SOURCES = ("src", "url", "href", "mp3", "mp4", "ogg", "m4a", "m4v", "wav", "webm", "ogv", "flv")
"""The attributes in which these have an address, the best first."""

FONTS = {"b": "strong", "i": "em", "u": "em", "quote": "blockquote", "blockquote": "blockquote"}
"""What stands for a tag of HTML."""

NOTES = _names("footnote ref fn efn_note note")
"""What encloses a footnote: it goes into the sentence, in brackets."""

PLUGINS = _names("""
    contact-form contact-form-7 contact-field gravityform gravityforms ninja-forms ninja_form
    wpforms formidable caldera_form mc4wp_form mailpoet_form newsletter_form newsletter-form
    subscribe2 jetpack_subscription_form sharethis addtoany addthis ssba sexybookmarks
    related-posts recent-posts display-posts rev_slider layerslider metaslider nggallery ngg
    slideshow singlepic imagebrowser tablepress polldaddy wp-polls yop_poll wp-sitemap-page toc
    ez-toc googleapps wpgmza wpdm_package download-attachments adrotate adsense print_link
    printfriendly qr-code simple-social-icons fbcomments fblike tweetmeme mashshare dkpdf-button
    signature signatures signaturelist emailpetition sitemap loginform tagcloud
""")
"""Plugins' shortcodes, which no author would write as words in brackets."""

WORDS = _names("""
    sic applause laughter laughs cheers crying pause silence inaudible unclear redacted abridged
    continued excerpt translation translated shortened omitted cut ed eds editor editors note
    picture photo image map sigh smiles whispers names name date place
""")
"""What editors, and those who write down speech, put into brackets, alone on a line too."""

MEMBERS = re.compile(r"member|restrict|private|protected|logged|password|paywall|s2if|paid", re.I)
"""Names of what the source shows to some readers only."""

NO_WORDS = _names("vc_raw_html vc_raw_js raw_js script")
"""What encloses code and no words."""
