// Made by web/embed.mjs.
&[
    File { path: "/assets/dagre.esm-CqJma2lr.js", content_type: "text/javascript; charset=utf-8", etag: "\"7e75c5cdec04c959\"", gzip: include_bytes!("assets/dagre.esm-CqJma2lr.js.gz") },
    File { path: "/assets/index-D9Y6LbH7.css", content_type: "text/css; charset=utf-8", etag: "\"c6af33bbd3f9f966\"", gzip: include_bytes!("assets/index-D9Y6LbH7.css.gz") },
    File { path: "/assets/index-DhEq-4W_.js", content_type: "text/javascript; charset=utf-8", etag: "\"794914a7d48f5af0\"", gzip: include_bytes!("assets/index-DhEq-4W_.js.gz") },
    File { path: "/assets/mark-0ti_ZK3K.svg", content_type: "image/svg+xml", etag: "\"cbdfbff75e6fe111\"", gzip: include_bytes!("assets/mark-0ti_ZK3K.svg.gz") },
    File { path: "/index.html", content_type: "text/html; charset=utf-8", etag: "\"225dea49ab012252\"", gzip: include_bytes!("index.html.gz") },
]
