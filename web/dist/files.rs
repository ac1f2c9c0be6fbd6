// Made by web/embed.mjs.
&[
    File { path: "/assets/index-DkDO6Jk1.css", content_type: "text/css; charset=utf-8", etag: "\"f78eabca98c045c7\"", gzip: include_bytes!("assets/index-DkDO6Jk1.css.gz") },
    File { path: "/assets/index-e7_4Rufe.js", content_type: "text/javascript; charset=utf-8", etag: "\"c8ec171ef864beea\"", gzip: include_bytes!("assets/index-e7_4Rufe.js.gz") },
    File { path: "/assets/layout.worker-CRcMIpEf.js", content_type: "text/javascript; charset=utf-8", etag: "\"8b4b977f3579d2f6\"", gzip: include_bytes!("assets/layout.worker-CRcMIpEf.js.gz") },
    File { path: "/assets/mark-0ti_ZK3K.svg", content_type: "image/svg+xml", etag: "\"cbdfbff75e6fe111\"", gzip: include_bytes!("assets/mark-0ti_ZK3K.svg.gz") },
    File { path: "/index.html", content_type: "text/html; charset=utf-8", etag: "\"ce975b0d2b85ffe7\"", gzip: include_bytes!("index.html.gz") },
]
