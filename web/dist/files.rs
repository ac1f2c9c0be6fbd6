// Made by web/embed.mjs.
&[
    File { path: "/assets/dagre.esm-CqJma2lr.js", content_type: "text/javascript; charset=utf-8", etag: "\"7e75c5cdec04c959\"", gzip: include_bytes!("assets/dagre.esm-CqJma2lr.js.gz") },
    File { path: "/assets/index-DIgMEiTG.css", content_type: "text/css; charset=utf-8", etag: "\"6c52f4f40926f97d\"", gzip: include_bytes!("assets/index-DIgMEiTG.css.gz") },
    File { path: "/assets/index-UYT7nyZv.js", content_type: "text/javascript; charset=utf-8", etag: "\"1b057e11be3b77ca\"", gzip: include_bytes!("assets/index-UYT7nyZv.js.gz") },
    File { path: "/assets/mark-0ti_ZK3K.svg", content_type: "image/svg+xml", etag: "\"cbdfbff75e6fe111\"", gzip: include_bytes!("assets/mark-0ti_ZK3K.svg.gz") },
    File { path: "/index.html", content_type: "text/html; charset=utf-8", etag: "\"c1b4592a94730dc5\"", gzip: include_bytes!("index.html.gz") },
]
