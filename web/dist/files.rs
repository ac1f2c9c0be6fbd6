// Made by web/embed.mjs.
&[
    File { path: "/assets/index-C1zSwXT5.js", content_type: "text/javascript; charset=utf-8", etag: "\"3391fa683d7bd324\"", gzip: include_bytes!("assets/index-C1zSwXT5.js.gz") },
    File { path: "/assets/index-DkDO6Jk1.css", content_type: "text/css; charset=utf-8", etag: "\"f78eabca98c045c7\"", gzip: include_bytes!("assets/index-DkDO6Jk1.css.gz") },
    File { path: "/assets/layout.worker-pfoE2PWn.js", content_type: "text/javascript; charset=utf-8", etag: "\"10fcf7bbe4cfc86c\"", gzip: include_bytes!("assets/layout.worker-pfoE2PWn.js.gz") },
    File { path: "/assets/mark-0ti_ZK3K.svg", content_type: "image/svg+xml", etag: "\"cbdfbff75e6fe111\"", gzip: include_bytes!("assets/mark-0ti_ZK3K.svg.gz") },
    File { path: "/index.html", content_type: "text/html; charset=utf-8", etag: "\"781de61ada133a6c\"", gzip: include_bytes!("index.html.gz") },
]
