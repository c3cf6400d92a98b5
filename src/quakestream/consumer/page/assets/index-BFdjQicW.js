const __vite__mapDeps=(i,m=__vite__mapDeps,d=(m.f||(m.f=["./charts-DIuvcsUa.js","./parts-BHK5Spwb.js","./symbols-D7Q9tB6H.js","./map-B-mMl5zZ.js","./filters-CC3BfXRj.js","./charts-CnsZ1jie.css","./alerts-C71S5Wir.js","./settings-q0QWY3Ac.js","./webgl-itHytbOt.js","./geography-C_OsGLyO.js","./webgl-qvkd0SPb.css","./canvas-Czqs_Iyr.js"])))=>i.map(i=>d[i]);
import{B as e,C as t,D as n,L as r,R as i,S as a,V as o,a as s,b as c,c as l,d as u,f as d,g as f,h as p,i as m,j as h,l as g,m as _,n as v,o as ee,p as te,r as y,t as b,u as ne,x,y as S,z as re}from"./parts-BHK5Spwb.js";import{n as ie,r as ae,t as oe}from"./filters-CC3BfXRj.js";import{S as C,b as se,c as ce,f as le,g as w,l as ue,n as de,o as fe,p as pe,t as me,u as T,v as he,x as E,y as ge}from"./symbols-D7Q9tB6H.js";import{n as _e,r as ve}from"./map-B-mMl5zZ.js";import{n as ye}from"./settings-q0QWY3Ac.js";var be=(e,t,n)=>{let r=new Map;for(let i=t;i<=n;i++)r.set(e[i],i);return r},xe=te(class extends _{constructor(e){if(super(e),e.type!==p.CHILD)throw Error(`repeat() can only be used in text expressions`)}dt(e,t,n){let r;n===void 0?n=t:t!==void 0&&(r=t);let i=[],a=[],o=0;for(let t of e)i[o]=r?r(t,o):o,a[o]=n(t,o),o++;return{values:a,keys:i}}render(e,t,n){return this.dt(e,t,n).values}update(e,[t,n,r]){let i=l(e),{values:a,keys:o}=this.dt(t,n,r);if(!Array.isArray(i))return this.ut=o,a;let s=this.ut??=[],c=[],f,p,m=0,h=i.length-1,_=0,v=a.length-1;for(;m<=h&&_<=v;)if(i[m]===null)m++;else if(i[h]===null)h--;else if(s[m]===o[_])c[_]=u(i[m],a[_]),m++,_++;else if(s[h]===o[v])c[v]=u(i[h],a[v]),h--,v--;else if(s[m]===o[v])c[v]=u(i[m],a[v]),d(e,c[v+1],i[m]),m++,v--;else if(s[h]===o[_])c[_]=u(i[h],a[_]),d(e,i[m],i[h]),h--,_++;else if(f===void 0&&(f=be(o,_,v),p=be(s,m,h)),f.has(s[m])){if(f.has(s[h])){let t=p.get(o[_]),n=t===void 0?null:i[t];if(n===null){let t=d(e,i[m]);u(t,a[_]),c[_]=t}else c[_]=u(n,a[_]),d(e,i[m],n),i[t]=null;_++}else g(i[h]),h--}else g(i[m]),m++;for(;_<=v;){let t=d(e,c[v+1]);u(t,a[_]),c[_++]=t}for(;m<=h;){let e=i[m++];e!==null&&g(e)}return this.ut=o,ne(e,c),re}}),D=4.875,O=6,k=()=>D*ce(),A={top:0,height:800};function Se(t){let{listed:n}=t,r=k(),i=Math.max(0,Math.floor(A.top/r)-O),a=Math.min(n.length,Math.ceil((A.top+A.height)/r)+O),o=j(n),s=Array.from({length:Math.max(0,a-i)},(e,t)=>i+t);o!==null&&(o<i||o>=a)&&s.push(o);let c=o??Math.min(i===0?0:i+O,n.length-1);return e`
    <h1 class="hidden" tabindex="-1">${S(`list.label`)}</h1>
    ${oe(t)}
    <div class="scroll" id="rows" tabindex="-1" @scroll=${e=>Te(t,e)}>
      ${n.length===0?we(t):e`<ol
              class="rows"
              aria-label=${S(`list.label`)}
              .style=${`height: ${n.length*r}px`}
              @keydown=${e=>De(t,e)}
            >
              ${xe(s,e=>n[e]?.id??e,e=>Ce(t,n[e],e,e===c))}
            </ol>`}
    </div>
  `}function Ce(t,n,i,a){let{format:o}=t,{depth:c}=n.location,l=[c==null?o.depth(c):S(`list.deep`,{depth:o.depth(c)}),...t.place?[S(`list.away`,{distance:o.distance(w(t.place,n.location))})]:[],...n.events.length>1?[f(`list.reports`,n.events.length)]:[]];return e`<li
    class="row"
    aria-setsize=${t.listed.length}
    aria-posinset=${i+1}
    .style=${`top: ${i*D}rem; height: ${D}rem`}
  >
    <a
      href=${b(t,{id:n.id})}
      data-id=${n.id}
      data-revision=${n.revision}
      data-index=${i}
      tabindex=${a?0:-1}
      aria-current=${n.id===t.state.id?`true`:r}
    >
      <span class="magnitude"
        ><span class="hidden">${S(`magnitude`)} </span><b>${o.magnitude(n.magnitude)}</b
        ><small>${C(n)}</small></span
      >
      <span class="what">
        <span class="place">${E(n)??o.position(n.location)}</span>
        <span class="facts"
          >${m(n)}<time datetime=${new Date(n.timestamp).toISOString()}
            >${o.when(n.timestamp,t.now())}</time
          ></span
        >
        <span class="facts"><span>${l.join(` · `)}</span></span>
      </span>
      ${s(T(n,t.now(),t.state.colour,t.theme),14)}
    </a>
  </li>`}function we(t){if(!t.loaded){let n=t.connection.state===`resuming`?`list.no-answer`:`list.loading`;return e`<p class="empty">${S(n)}</p>`}let{catalogue:n,state:r}=t,i=r.onmap&&t.shown.length>0?`list.none-on-map`:n.size>0?`list.none-match`:`list.none`;return e`<p class="empty">${S(i)}</p>`}function Te(e,t){let{scrollTop:n,clientHeight:r}=t.target;A={top:n,height:r},e.redraw()}function j(e){let{activeElement:t}=document,n=t instanceof HTMLElement?t.dataset.id:void 0;if(n===void 0||!t?.closest(`.rows`))return null;let r=e.findIndex(e=>e.id===n);return r<0?null:r}var Ee={ArrowDown:e=>e+1,ArrowUp:e=>e-1,PageDown:(e,t)=>e+t,PageUp:(e,t)=>e-t,Home:()=>0,End:(e,t,n)=>n};function De(e,t){let n=Ee[t.key],r=j(e.listed);!n||r===null||t.ctrlKey||t.altKey||t.metaKey||(t.preventDefault(),M(e,n(r,Math.max(1,Math.floor(A.height/k())-1),e.listed.length-1)))}function M(e,t){let n=Math.max(0,Math.min(e.listed.length-1,t)),r=document.getElementById(`rows`);if(!r)return;let[i,a]=[n*k(),(n+1)*k()];i<r.scrollTop?r.scrollTop=i:a>r.scrollTop+r.clientHeight&&(r.scrollTop=a-r.clientHeight),A={top:r.scrollTop,height:r.clientHeight},e.redraw(),r.querySelector(`[data-index="${n}"]`)?.focus({preventScroll:!0})}function Oe(){let e=document.getElementById(`rows`);return!e||e.clientHeight===A.height&&e.scrollTop===A.top?!1:(A={top:e.scrollTop,height:e.clientHeight},!0)}function ke(e){if(e.arrival===null)return;let{left:t}=e.arrival,{view:n,id:r}=e.state,i=r===null&&n===`list`?e.listed.findIndex(e=>e.id===t):-1,a=document.querySelector(r===null&&n===`map`?`#map canvas`:`.panel h1`);i<0&&!a||(e.arrival=null,i>=0?M(e,i):a?.focus({preventScroll:!0}))}function Ae(e){addEventListener(`keydown`,t=>{if(t.ctrlKey||t.metaKey||t.altKey||document.querySelector(`dialog[open]`))return;if(t.key===`Escape`&&e.state.id!==null){e.set({id:null});return}let n=t.target;if(!e.preferences.shortcuts||n.matches(`input, select, textarea`))return;let r=h[Number(t.key)-1];if(r)e.set({view:r,id:null});else if(t.key===`j`||t.key===`k`)Me(e,t.key===`j`?1:-1);else if(t.key===`p`)e.pause(!e.paused);else if(t.key===`f`)je();else if(t.key===`s`)document.querySelector(`#settings`)?.showModal();else return;t.preventDefault()})}function je(){let e=document.getElementById(`minmagnitude`);e?.closest(`details`)?.setAttribute(`open`,``),e?.focus()}function Me(e,t){let n=document.activeElement?.dataset.id,r=e.listed.findIndex(t=>t.id===(e.state.id??n)),i=e.listed[Math.max(0,Math.min(e.listed.length-1,r+t))];i&&(e.state.id===null?M(e,e.listed.indexOf(i)):e.set({id:i.id},!1))}var Ne=[[/^(\S+) and (\S+) are one earthquake: (\S+) (.+?); (.+)$/,([e,t,n,r,i],a)=>I(`why.merged`,{home:e,gone:t,key:n,reason:P(r,a),why:N(i,a)})],[/^its reports were grouped anew: (.+)$/,([e],t)=>I(`why.regrouped`,{why:N(e,t)})],[/^(.+?) is another earthquake than (\S+): (.+)$/,([e,t,n],r)=>I(`why.split-from`,{keys:e,id:t,why:N(n,r)})],[/^(.+?) is another earthquake: (.+)$/,([e,t],n)=>I(`why.split`,{keys:e,why:N(t,n)})],[/^(.+): it is another report of this earthquake, (.+)$/,([e,t],n)=>I(`why.another`,{why:N(e,n),reason:P(t,n)})],[/^(.+); it came here from (\S+), (.+)$/,([e,t,n],r)=>I(`why.moved`,{why:N(e,r),id:t,reason:P(n,r)})],[/^first report, (.+)$/,([e])=>I(`why.first`,{key:e})],[/^an older revision of (.+) came late: kept in the history, nothing newer changed$/,([e])=>I(`why.late`,{key:e})],[/^(\S+) was revised: (.+)$/,([e,t=``],n)=>I(`why.revised`,{key:e,difference:t.split(`, `).map(e=>F(Fe,e,n)).join(`, `)})],[/^(\S+) has its reports since the catalogue was rebuilt$/,([e])=>I(`why.rebuilt`,{id:e})],[/^no magnitude is known$/,()=>S(`why.no-magnitude`)],[/^deeper than (\S+) km: the models are not made for it$/,([e])=>I(`why.too-deep`,{depth:e})]],Pe=[[/^ids: one with (.+)$/,([e])=>I(`why.ids`,{keys:e})],[/^within (.+) of (\S+)$/,([e,t],n)=>I(`why.within`,{near:z(e,n),key:t})],[/^alone$/,()=>S(`why.alone`)]],Fe=[[/^magnitude (\S+) → (\S+)$/,([e,t],n)=>I(`why.magnitude`,{from:R(e,n),to:R(t,n)})],[/^place or depth$/,()=>S(`why.place`)],[/^origin time by (\S+) s$/,([e],t)=>I(`why.time`,{seconds:z(e,t)})],[/^(\S+) → (\S+)$/,([e,t])=>`${L(e)} → ${L(t)}`],[/^details$/,()=>S(`why.details`)]],N=(e,t)=>F(Ne,e??``,t),P=(e,t)=>F(Pe,e??``,t);function F(e,t,n){for(let[r,i]of e){let e=r.exec(t);if(e)return i(e.slice(1),n)}return t}var I=(e,t)=>S(e,t),L=(e=``)=>c(`status.${e}`)??e,R=(e=``,t)=>e===`none`?S(`why.none`):z(e,t),z=(e=``,t)=>e.replace(/\d+\.(\d+)/g,(e,n)=>t.number(Number(e),n.length)),Ie=8;function Le(t,n){let{exposure:i}=t.inspector,a=ze(n);return e`<section id="exposure">
    <h2>${y(`people`)} ${S(`exposure`)} <small>${S(`exposure.estimate`)}</small></h2>
    ${a===null?r:e`<p class="measured">
            <a class="out" href=${a} target="_blank" rel="noopener noreferrer">${S(`exposure.shakemap`)}${y(`link`)}</a>
            <small>${S(`exposure.shakemap.what`)}</small>
          </p>`}
    ${i?Re(t,i):e`<p class="soft">${S(`list.loading`)}</p>`}
  </section>`}function Re(t,n){let{format:i}=t;return n.priority===null?e`<p class="soft">${S(`exposure.none`)}</p>`:n.classes.length===0?e`<p class="soft">${S(`exposure.nobody`)}</p>`:e`<table class="exposure">
      <thead>
        <tr>
          <th scope="col">${S(`exposure.class`)}</th>
          <th scope="col" class="number">${S(`exposure.people`)}</th>
          <th scope="col" class="number">${S(`exposure.cities`)}</th>
        </tr>
      </thead>
      <tbody>
        ${n.classes.map(t=>e`<tr>
            <th scope="row"><i class="swatch m${t.class}"></i><b>${t.roman}</b> ${c(`mmi.${t.roman}`)??``}</th>
            <td class="number">${i.number(Number(t.people.toPrecision(2)))}</td>
            <td class="number">${i.number(t.cities)}</td>
          </tr>`)}
      </tbody>
    </table>
    <ul class="cities">
      ${n.cities.slice(0,Ie).map(t=>e`<li>
          <b class="roman">${t.roman}</b>
          <span
            >${t.name}, ${t.within}
            <small>${f(`exposure.inhabitants`,t.population,{count:i.number(t.population)})} · ${S(`exposure.away`,{distance:i.distance(t.distanceKm)})} · ${S(`here.range`,{low:i.number(t.low,1),high:i.number(t.high,1)})}</small></span
          >
        </li>`)}
    </ul>
    <p class="soft small">
      ${S(`exposure.priority`,{priority:i.number(n.priority,1)})} ${S(`exposure.source`)}
      ${n.cities.some(e=>e.extrapolated)?S(`here.extrapolated`):r}
    </p>`}function ze(e){if(e.source!==`usgs`||typeof e.mmi!=`number`||!e.url)return null;let[t]=/^https:\/\/[^?#\s]+/.exec(e.url)??[];return t===void 0?null:`${t.replace(/\/+$/,``)}/shakemap`}var Be=400,B=84,V=40,Ve=44,H=6e4,He=[1,10,60,600,1440,10080,43200];function Ue(t,n){let i=n.history.flatMap(({event:e,time:t})=>e?[{agency:G(e),afterMs:Math.max(H,(e.updated??t)-e.timestamp),magnitude:e.magnitude,apartKm:w(e.location,n.location)}]:[]);if(i.length<2)return r;i.sort((e,t)=>e.afterMs-t.afterMs);let a=[...new Set(i.map(e=>e.agency))],s=i.map(e=>Math.log10(e.afterMs/H)),[c,l]=[Math.min(...s)-.1,Math.max(...s)+.1],u=e=>V+(Math.log10(e/H)-c)/(l-c)*350,{format:d}=t,f=i.flatMap(e=>e.magnitude===null?[]:[e.magnitude]),p=He.filter(e=>Math.log10(e)>=c&&Math.log10(e)<=l),m=(e,t)=>u(t*H)-u(e*H)>Ve,h=p.filter((e,t)=>t===0||m(p[t-1],e)),g=[{label:S(`history.magnitude`),value:e=>e.magnitude,low:Math.min(...f)-.2,high:Math.max(...f)+.2,digits:1},{label:S(`history.apart`,{unit:d.unit}),value:e=>d.inUnit(e.apartKm),low:0,high:d.inUnit(Math.max(5,...i.map(e=>e.apartKm))*1.1),digits:0}],_=d.duration(i[0]?.afterMs??0),v=S(`history.summary`,{n:i.length,agencies:a.join(`, `),first:_});return e`<svg class="revisions" viewBox="0 0 ${Be} ${g.length*106+18}" role="img" aria-label=${v}>
      ${g.map((e,t)=>{let n=t*106+16,r=t=>n+B-(t-e.low)/(e.high-e.low||1)*B;return o`
          <text x=${V} y=${n-5} class="title">${e.label}</text>
          <line x1=${V} x2=${390} y1=${n+B} y2=${n+B} class="axis" />
          ${[e.low,e.high].map(t=>o`<text x=${35} y=${r(t)+4} class="tick end">${d.number(t,e.digits)}</text>`)}
          ${h.map(e=>o`<line x1=${u(e*H)} x2=${u(e*H)} y1=${n} y2=${n+B} class="grid" />`)}
          ${a.map((t,n)=>{let a=i.filter(n=>n.agency===t&&e.value(n)!==null).map(t=>[u(t.afterMs),r(e.value(t))]),s=a.map(([e,t],n)=>`${n===0?`M`:`H${e}V`}${n===0?`${e},${t}`:t}`).join(``);return o`<path d=${s||`M0,0`} class="series s${n%5}" />${a.map(([e,t])=>U(n,e,t))}`})}`})}
      ${h.map(e=>o`<text x=${u(e*H)} y=${g.length*106+12} class="tick middle">${d.duration(e*H)}</text>`)}
    </svg>
    <ul class="series-names">
      ${a.map((t,n)=>e`<li><svg viewBox="0 0 12 12" aria-hidden="true">${U(n,6,6)}</svg>${t}</li>`)}
    </ul>`}function U(e,t,n){let r=[o`<circle cx=${t} cy=${n} r="3.800" />`,o`<rect x=${t-3.5} y=${n-3.5} width="7" height="7" />`,o`<path d="M${t},${n-4.5}l4.500,8h-9z" />`,o`<path d="M${t},${n-5}l5,5l-5,5l-5,-5z" />`,o`<path d="M${t-4},${n-4}l8,8m0,-8l-8,8" />`];return o`<g class="mark s${e%5}">${r[e%5]}</g>`}function We(t,n){let{detail:i,trouble:a}=t.inspector,o=t.catalogue.get(n)??i;return e`
    <div class="detail-bar">
      <a class="button" href=${b(t,{id:null})} id="back">${y(`back`)}${S(`back`)}</a>
      ${o?e`<button type="button" @click=${()=>t.map?.fly(o.location,5)}>${y(`place`)}${S(`detail.show`)}</button>`:r}
    </div>
    <article class="scroll detail" tabindex="-1" id="rows">
      ${o?Ke(t,o):Ge(a)}
      ${i?[qe(t,i),Le(t,i),Je(t,i),Xe(t,i)]:r}
    </article>
  `}function Ge(t){return t===`missing`?e`<h1 class="empty" tabindex="-1">${S(`detail.missing`)}</h1>`:e`<p class="empty">${S(t===`away`?`list.no-answer`:`list.loading`)}</p>`}function Ke(t,n){let{format:i}=t,{location:a,timestamp:o,region:l}=n,u=(t,n)=>e`<div><dt>${t}</dt><dd>${n}</dd></div>`,d=n.id!==void 0&&t.loaded&&!t.catalogue.get(n.id)&&n.status===`deleted`,p=E(n);return e`<header class="hero">
      <div class="size">
        <b>${i.magnitude(n.magnitude)}</b>
        <span>${n.magnitude===null?S(`detail.no-magnitude`):n.magnitudeType??S(`magnitude`)}</span>
      </div>
      <div>
        <h1 tabindex="-1">${p??i.position(a)}</h1>
        <p>
          ${m(n)}
          <span class="tag status ${n.status}">${c(`status.${n.status}`)??n.status}</span>
          ${n.type===`earthquake`?r:e`<span class="tag status">${n.type}</span>`}
          ${(n.tsunami??0)>0?e`<span class="tag status">${S(`detail.tsunami`)}</span>`:r}
        </p>
      </div>
      ${s(T(n,t.now(),t.state.colour,t.theme),24)}
    </header>
    ${d?e`<p class="note">${S(`detail.deleted`)}</p>`:r}
    <dl class="grid">
      ${u(S(`detail.time`),e`${i.moment(o)} ${i.zone(o)}<small>${i.ago(o,t.now())}</small>`)}
      ${typeof n.recordedTimestamp==`number`?u(S(`detail.recorded`),e`${i.moment(n.recordedTimestamp)} ${i.zone(n.recordedTimestamp)}`):r}
      ${u(S(`detail.depth`),e`${i.depth(a.depth)}${W(t,n.depthError)}`)}
      ${u(S(`detail.epicentre`),i.position(a))} ${l&&l!==p?u(S(`detail.region`),l):r}
      ${n.felt?u(S(`detail.felt`),f(`detail.people`,n.felt)):r}
    </dl>`}var W=(e,t)=>t?` ± ${e.format.distance(t)}`:``;function qe(t,n){let{place:i,format:a}=t,{shaking:o}=t.inspector,s=e`<h2>${y(`home`)} ${S(`here`)}</h2>`;if(!i)return e`<section>${s}<p class="soft">${S(`here.none`)} <button type="button" @click=${()=>document.querySelector(`#settings`)?.showModal()}>${S(`here.set`)}</button></p></section>`;let l=w(i,n.location),u=n=>{if(n==null)return`–`;let i=n>t.now()&&t.state.replay===null;return e`${a.clock(n)} ${a.zone(n)}${i?e`<small>${a.ago(n,t.now())}</small>`:r}`},d=o?.intensity;return e`<section>
    ${s}
    <dl class="grid">
      <div><dt>${S(`here.distance`)}</dt><dd>${a.distance(l)}</dd></div>
      <div>
        <dt>${S(`here.intensity`)}</dt>
        <dd>
          ${d?e`<b class="roman">${d.roman}</b> ${c(`mmi.${d.roman}`)??``}
                  <small>${S(`here.range`,{low:a.number(d.low,1),high:a.number(d.high,1)})}</small>`:o?.why?N(o.why,a):`…`}
        </dd>
      </div>
      <div><dt>${S(`here.p`)}</dt><dd>${u(o?.pArrival)}</dd></div>
      <div><dt>${S(`here.s`)}</dt><dd>${u(o?.sArrival)}</dd></div>
    </dl>
    <p class="soft small">
      ${S(`here.computed`,{model:d?.source??`–`})} ${d?.extrapolated?S(`here.extrapolated`):r}
    </p>
  </section>`}function Je(t,n){let{format:i}=t,{solutions:a}=n,o=e=>`${e.source}:${e.id}`===n.preferred,s=e=>{let t=(e.timestamp-n.timestamp)/1e3;return`${t<0?`−`:`+`}${i.number(Math.abs(t),1)} s`},l=[[`agencies.magnitude`,t=>e`<b>${i.magnitude(t.magnitude)}</b> ${C(t)}`],[`agencies.depth`,n=>e`${i.depth(n.location.depth)}${W(t,n.depthError)}`],[`agencies.time`,e=>o(e)?i.clock(e.timestamp):s(e)],[`agencies.apart`,e=>o(e)?i.position(e.location):i.distance(w(e.location,n.location))],[`agencies.status`,e=>c(`status.${e.status}`)??e.status],[`agencies.updated`,e=>typeof e.updated==`number`?i.ago(e.updated,t.now()):`–`],[`agencies.source`,Ye]];return e`<section>
    <h2>${S(`agencies`)} <small>${f(`list.reports`,a.length)}</small></h2>
    <div class="wide" tabindex="0" role="group" aria-label=${S(`agencies`)}>
      <table class="agencies">
        <thead>
          <tr>
            <td></td>
            ${a.map(t=>e`<th scope="col">
                ${G(t)} ${o(t)?e`<span class="tag status">${S(`agencies.preferred`)}</span>`:r}
                <small>${t.id}</small>
              </th>`)}
          </tr>
        </thead>
        <tbody>
          ${l.map(([t,n])=>e`<tr><th scope="row">${S(t)}</th>${a.map(t=>e`<td>${n(t)}</td>`)}</tr>`)}
        </tbody>
      </table>
    </div>
  </section>`}var G=e=>e.agency&&e.agency!==e.source?`${e.source} / ${e.agency}`:e.source;function Ye(t){return!t.url||!/^https?:\/\//i.test(t.url)?`–`:e`<a class="out" href=${t.url} target="_blank" rel="noopener noreferrer"
    >${S(`agencies.open`)}<span class="hidden"> ${G(t)}</span>${y(`link`)}</a
  >`}function Xe(t,n){let{format:i}=t,a=t=>e`<li>
    <time datetime=${new Date(t.time).toISOString()}>${i.moment(t.time)}</time>
    <span
      ><b>${c(`what.${t.what}`)??t.what}</b>${t.event?e` · M ${i.magnitude(t.event.magnitude)} · ${G(t.event)}`:r}
      <small>${N(t.why,i)}</small></span
    >
  </li>`;return e`<section>
    <h2>${S(`history`)} <small>${f(`history.steps`,n.history.length)}</small></h2>
    ${Ue(t,n)}
    <ol class="steps">
      ${[...n.history].reverse().map(a)}
    </ol>
  </section>`}var K=864e5,Ze=6e4,q=100,J=0;function Qe(t){let{state:n}=t,i=e=>{let n=Math.floor(t.realNow()/6e4)*6e4;t.set({starttime:n-e*K,endtime:n,replay:n-e*K},!0),X(t)};if(n.replay===null){let a=n.starttime!==null&&n.endtime!==null;return e`<p class="soft">${S(`replay.what`)}</p>
      <p class="buttons">
        ${[1,7,30].map(t=>e`<button type="button" @click=${()=>i(t)}>${S(`replay.${t}`)}</button>`)}
        ${a?e`<button type="button" class="solid" @click=${()=>{t.set({replay:n.starttime},!0),X(t)}}>${S(`replay.window`)}</button>`:r}
      </p>`}return Y(t)}function Y(t){let{state:n,format:r}=t,[i,a,o]=[n.starttime??0,n.endtime??0,n.replay??0];return e`<div class="replay" role="group" aria-label=${S(`replay`)}>
    <button type="button" @click=${()=>J===0?X(t):Z(t)} aria-label=${S(J===0?`replay.play`:`replay.halt`)}>
      ${y(J===0?`play`:`pause`)}
    </button>
    <input
      type="range"
      min=${i}
      max=${a}
      step=${Math.max(1e3,Math.round((a-i)/2e3))}
      .value=${String(o)}
      @input=${e=>t.set({replay:e.target.valueAsNumber},!1)}
      aria-label=${S(`replay.slider`)}
      aria-valuetext="${r.moment(o)} ${r.zone(o)}"
    />
    <output>${r.moment(o)} ${r.zone(o)}</output>
    <button type="button" @click=${()=>$e(t)}>${S(`replay.leave`)}</button>
  </div>`}function X(e){clearInterval(J),J=setInterval(()=>{let{starttime:t,endtime:n,replay:r}=e.state;if(t===null||n===null||r===null){Z(e);return}let i=r+(n-t)*(q/Ze);e.advance(Math.min(n,i)),i>=n&&Z(e)},q),e.invalidate()}function Z(e){clearInterval(J),J=0,e.state.replay!==null&&e.set({replay:Math.round(e.state.replay)},!1),e.invalidate()}function $e(e){clearInterval(J),J=0,e.set({replay:null,starttime:null,endtime:null},!0)}function et(t){return e`
    <div class="zoom">
      <button type="button" @click=${()=>t.map?.zoomBy(1)} aria-label=${S(`map.in`)}>${y(`plus`)}</button>
      <button type="button" @click=${()=>t.map?.zoomBy(-1)} aria-label=${S(`map.out`)}>${y(`minus`)}</button>
    </div>
    ${nt(t)} ${tt(t)} ${ot(t)} ${st(t)}
    ${t.state.replay===null||t.state.view===`status`&&t.state.id===null?r:Y(t)}
  `}function tt(n){let{state:i,theme:a}=n,o=e=>({shape:`shallow`,drill:!1,radius:7,colour:a===`dark`?`#c3ced9`:`#5b6874`,ringed:!1,...e}),c=ue(a,i.colour),l=i.colour===`age`?me.map((e,t)=>S(`legend.age.${t}`)):[...rt(n),S(`depth.unknown`)],u=i.colour===`age`?c:[...c,le(a)];return e`<details class="legend" ?open=${innerWidth>900&&innerHeight>600}>
    <summary>${S(`legend`)}</summary>
    <div class="keys">
      ${v(S(`legend.colour`),t.map(e=>({value:e,label:S(`colour.${e}`)})),i.colour,e=>n.set({colour:e},!1))}
      <ul class="scale">
        ${u.map((t,n)=>e`<li>${s(o({colour:t,ringed:i.colour===`age`&&n===0,radius:6}))}${l[n]}</li>`)}
      </ul>
      <ul class="sizes" aria-label=${S(`legend.sizes`)}>
        ${[2,4,6,8].map(t=>e`<li>${s(o({radius:fe(t)}),24)}<span>M ${t}</span></li>`)}
      </ul>
      <ul class="scale shapes">
        ${he.map(t=>e`<li>${s(o({shape:t,radius:6}))}${S(`legend.${t}`,it(n))}</li>`)}
        <li>${s(o({drill:!0,radius:7}))}${S(`legend.drill`)}</li>
        ${i.plates?e`<li><i class="line plate"></i>${S(`legend.plates`)}</li>`:r}
        ${i.waves?e`<li><i class="line p"></i>P <i class="line s"></i>S ${S(`legend.waves`)}</li>`:r}
      </ul>
      <p class="credits">${S(`credits`)}</p>
    </div>
  </details>`}function nt(t){let{state:r}=t;return e`<details class="map-options">
    <summary>${y(`layers`)}<span>${S(`map.options`)}</span></summary>
    <div class="switches">
      ${v(S(`map.projection`),n.map(e=>({value:e,label:S(`projection.${e}`)})),r.projection,e=>t.set({projection:e},!1))}
      ${ee(S(`legend.plates`),r.plates,e=>t.set({plates:e},!1))}
      ${ee(S(`legend.waves.toggle`),r.waves,e=>t.set({waves:e},!1))}
      <label class="select"
        ><span>${S(`clusters`)}</span>
        <select @change=${e=>t.set({clusters:e.target.value},!1)}>
          ${a.map(t=>e`<option value=${t} ?selected=${t===r.clusters}>${S(`clusters.${t}`)}</option>`)}
        </select></label
      >
    </div>
  </details>`}function rt(e){return de.map((t,n)=>{let r=de[n-1]??0;return Number.isFinite(t)?S(`legend.depth.to`,{depth:e.format.depth(t)}):S(`legend.depth.from`,{depth:e.format.depth(r)})})}var it=e=>({upper:e.format.depth(70),lower:e.format.depth(300)}),at=2.5;function ot(t){if(!t.state.waves)return r;let n=t.waveSources();if(n.length===0)return r;let{place:i,format:a}=t,o=n.flatMap(({earthquake:e,table:n,elapsedS:r})=>{if(!i||t.state.replay!==null)return[];let a=ae(n.distanceDeg,n.sS,w(i,e.location)/pe);if(a===null||a<=r)return[];let o=t.shakingHere(e)?.intensity;return o&&o.value>=at?[{earthquake:e,inS:a-r,roman:o.roman}]:[]}),s=t.state.replay===null?`waves.note`:`waves.replayed`;return e`<div class="wave-note" id="waves">
    <details ?open=${innerWidth>900&&innerHeight>600}>
      <summary>${S(t.state.replay===null?`waves.brief`:`waves.brief.replayed`)}</summary>
      <p>${S(s)}</p>
    </details>
    ${o.map(({earthquake:t,inS:n,roman:r})=>e`<p class=${se(t)?`ahead`:`ahead real`}>
          ${m(t)}
          ${S(`waves.ahead`,{roman:r,span:a.duration(n*1e3),magnitude:a.magnitude(t.magnitude),place:E(t)??``})}
        </p>`)}
  </div>`}function st(t){let n=t.pointed,i=n&&t.catalogue.get(n.id);if(!n||!i)return r;let{format:a}=t;return e`<div class="tip" .style=${`left: ${n.x}px; top: ${n.y}px`}>
    <b>M ${a.magnitude(i.magnitude)}</b> ${E(i)??a.position(i.location)}
    <small>${a.when(i.timestamp,t.now())} · ${a.depth(i.location.depth)}</small> ${m(i)}
  </div>`}function ct(t){let{status:n,format:r,connection:i}=t,{kind:a,label:o}=gt(t),s=(t,n)=>e`<div class="tile"><dt>${t}</dt><dd>${n}</dd></div>`;return e`<div class="scroll page" tabindex="-1" id="rows">
    <section>
      <h1 tabindex="-1">${S(`view.status`)}</h1>
      <dl class="tiles">
        ${s(S(`status.connection`),e`<span class="badge ${a}"><i aria-hidden="true"></i>${o}</span>`)}
        ${s(S(`status.rate`),n?r.number(n.eventsPerSecond,1):`–`)}
        ${s(S(`status.earthquakes`),n?r.number(n.earthquakes):`–`)}
        ${s(S(`status.here`),r.number(t.catalogue.size))}
        ${s(S(`status.seq`),n?r.number(n.seq):`–`)}
        ${s(S(`status.sign`),i.since===null?`–`:r.clock(i.since))}
      </dl>
      <p>
        <button type="button" aria-pressed=${t.paused} @click=${()=>t.pause(!t.paused)}>${S(t.paused?`resume`:`pause`)}</button>
        <span class="soft">${S(`status.pause`)}</span>
      </p>
    </section>
    <section>
      <h2>${S(`status.sources`)}</h2>
      ${n?n.sources.length===0?e`<p class="soft">${S(`status.no-sources`)}</p>`:e`<ul class="sources">
                ${n.sources.map(e=>lt(t,e))}
              </ul>`:e`<p class="soft">${S(`list.loading`)}</p>`}
    </section>
    <section>
      <h2>${S(`replay`)}</h2>
      ${Qe(t)}
    </section>
  </div>`}function lt(t,n){let{format:i}=t,a=n.lagMs??null,o=n.lastEventAt===null||n.lastEventAt===void 0?null:new Date(n.lastEventAt).getTime(),s=!!n.lastError||n.state===`gone`||n.state===`failing`;return e`<li class="source ${s?`troubled`:``}">
    <header>
      <b>${n.name}</b><span class="tag status">${c(`source.${n.state}`)??n.state}</span>
    </header>
    <dl>
      <div><dt>${S(`source.last`)}</dt><dd>${o===null?`–`:i.ago(o,t.realNow())}</dd></div>
      <div><dt>${S(`source.lag`)}</dt><dd>${a===null?`–`:i.duration(a)}</dd></div>
      <div><dt>${S(`source.published`)}</dt><dd>${i.number(n.published??0)}</dd></div>
      <div><dt>${S(`source.seen`)}</dt><dd>${n.seenAt?i.ago(n.seenAt,t.realNow()):`–`}</dd></div>
    </dl>
    ${n.lastError?e`<p class="error">${n.lastError}</p>`:r}
  </li>`}var ut={charts:async()=>(await x(async()=>{let{chartsView:e}=await import(`./charts-DIuvcsUa.js`);return{chartsView:e}},__vite__mapDeps([0,1,2,3,4,5]),import.meta.url)).chartsView,alerts:async()=>(await x(async()=>{let{alertsView:e}=await import(`./alerts-C71S5Wir.js`);return{alertsView:e}},__vite__mapDeps([6,1,2,7]),import.meta.url)).alertsView},dt=new Map;function ft(t){let{state:n}=t;return e`
    <a class="skip" href="#rows">${S(`skip`)}</a>
    <header class="top">${vt(t)} ${ht(t)}</header>
    <main class="layout" data-view=${n.id===null?n.view===`alerts`&&n.alert?`alert`:n.view:`detail`}>
      <section class="stage" aria-label=${S(`map.label`)}>
        <div id="map"></div>
        ${et(t)}
      </section>
      <section class="panel" aria-label=${S(n.id===null?`view.${n.view}`:`view.detail`)}>${pt(t)}</section>
    </main>
    ${ye(t)}
  `}function pt(e){if(e.state.id!==null)return We(e,e.state.id);switch(e.state.view){case`charts`:case`alerts`:return mt(e,e.state.view);case`status`:return ct(e);default:return Se(e)}}function mt(t,n){let r=dt.get(n);return r?r(t):(ut[n]().then(e=>{dt.set(n,e),t.invalidate()}),e`<p class="empty">${S(`list.loading`)}</p>`)}function ht(t){let{state:n}=t;return e`<div class="bar">
    <a class="brand" href=${b(t,{view:`list`,id:null})} aria-label="Quakestream">
      <svg viewBox="0 0 32 32" aria-hidden="true"><circle cx="16" cy="16" r="3.500" /><circle cx="16" cy="16" r="8.500" /><circle cx="16" cy="16" r="14" /></svg>
      <span>Quakestream</span>
    </a>
    ${_t(t)}
    <nav aria-label=${S(`nav`)}>
      ${h.map(i=>e`<a
          href=${b(t,{view:i,id:null,alert:null})}
          aria-current=${n.view===i&&n.id===null?`page`:r}
          >${y(i)}<span>${S(`view.${i}`)}</span></a
        >`)}
    </nav>
    <button
      type="button"
      class="quiet"
      id="pause"
      aria-pressed=${t.paused}
      @click=${()=>t.pause(!t.paused)}
      title=${S(t.paused?`resume`:`pause`)}
    >
      ${y(t.paused?`play`:`pause`)}<span class=${t.paused?``:`hidden`}
        >${t.paused?f(`waiting`,t.waiting):S(`pause`)}</span
      >
    </button>
    <button type="button" class="quiet" id="open-settings" @click=${()=>document.querySelector(`#settings`)?.showModal()}>
      ${y(`settings`)}<span class="hidden">${S(`settings`)}</span>
    </button>
  </div>`}function gt(e){let t=e.staleSince;return t===null?e.connection.state===`live`&&e.loaded?e.paused?{kind:`paused`,label:S(`connection.paused`)}:{kind:`live`,label:S(`connection.live`)}:{kind:`resuming`,label:S(e.loaded?`connection.resuming`:`connection.connecting`)}:{kind:`stale`,label:S(`connection.stale`,{time:e.format.clock(t)})}}function _t(t){let{kind:n,label:r}=gt(t);return e`<a class="badge ${n}" id="connection" href=${b(t,{view:`status`,id:null})}
    ><i aria-hidden="true"></i><span role="status">${r}</span></a
  >`}function vt(t){let{kinds:n}=t,i=[...n].filter(e=>e!==null),a=[];if(t.state.replay!==null&&a.push(e`<p class="replaying" id="replaying"><b>${S(`replay.tag`)}</b> ${S(`replay.banner`)}</p>`),i.length>0){let t=!n.has(null),o=i.map(e=>S(`mode.${e}`)).join(` · `),s=i.every(e=>e===`recorded`)?`banner.recorded`:`banner.drill`;a.push(e`<p class="drills" id="drills" role="note"><b>${o}</b> <span>${S(s)} ${t?r:S(`banner.some`)}</span></p>`)}return a.length>0?e`${a}`:r}function yt(e){let{selected:t}=e,n=(t?[ge(t)]:[...e.kinds]).map(e=>e===null?``:`[${S(`mode.${e}`)}] `).join(``),r=e.state.replay===null?``:`[${S(`replay.tag`)}] `,i=t?`M ${e.format.magnitude(t.magnitude)} ${t.place??t.region??``} – `:``;return`${n}${r}${e.paused&&e.waiting>0?`(${e.waiting}) `:``}${i}Quakestream`}var Q=document.getElementById(`app`),$=new ie;$.draw=()=>{document.documentElement.lang=$.preferences.language,document.documentElement.dataset.theme=$.theme,i(ft($),Q),Oe()&&i(ft($),Q),document.title=yt($),ke($),$.loaded&&performance.getEntriesByName(`list`).length===0&&performance.mark(`list`)},Q.addEventListener(`click`,e=>{let t=e.target.closest(`a`),n=e.button===0&&!e.ctrlKey&&!e.metaKey&&!e.shiftKey&&!e.altKey,r=t?.getAttribute(`href`)??``;n&&t&&!t.target&&(r.startsWith(`?`)||r===`./`)&&(e.preventDefault(),$.go(t.search))}),Ae($),navigator.serviceWorker?.addEventListener(`message`,({data:e})=>$.go(e.go)),await $.start(),$.draw(),await St();function bt({clientWidth:e,clientHeight:t}){let{selected:n,shown:r}=$,i=[...r].sort((e,t)=>(t.magnitude??-99)-(e.magnitude??-99))[0],{latitude:a,longitude:o}=(n??i)?.location??{latitude:15,longitude:150},s=Math.max(-35,Math.min(35,a));if(e===0)return{latitude:s,longitude:o,zoom:1};let c=_e(.86*Math.min(e,t),t,s);return{latitude:n?a:s,longitude:o,zoom:n?Math.max(3,c):c}}async function xt(){let e=document.querySelector(`meta[name="basemap-style"]`)?.content;return e&&await fetch(e,{signal:AbortSignal.timeout(5e3)}).then(e=>e.ok,()=>!1)?e:null}async function St(){let e=document.getElementById(`map`),t=ve()?x(()=>import(`./webgl-itHytbOt.js`),__vite__mapDeps([8,2,9,3,10]),import.meta.url):null;await $.ready;let{camera:n}=$.state,r={picked:e=>$.set({id:e}),chosen:e=>$.choose(e),pointed:(e,t)=>$.point(e===null?null:{id:e,...t}),moved:e=>$.set({camera:e},!1)},{look:i}=$,a=n??bt(e),o=await xt();if(t)$.attach(await(await t).webglMap(e,r,i,a,o));else{let{canvasMap:t}=await x(async()=>{let{canvasMap:e}=await import(`./canvas-Czqs_Iyr.js`);return{canvasMap:e}},__vite__mapDeps([11,2,9,3]),import.meta.url);$.attach(t(e,r,i,a))}Object.assign(window,{quakestream:{drawn:()=>$.map?.drawn(),map:$.map?.kind}})}